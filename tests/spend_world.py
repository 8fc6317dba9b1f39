"""Batches that have been read, at prices that make sums easy to check by hand."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from batches.models import Batch, BatchUsage, Workspace
from batches.pricing import Price, PriceTable
from tests.mirroring import mirror

# US dollars per million tokens, and per 1,000 web searches. A batch pays half for tokens.
SMALL = ("2", "10", "2.5", "4", "0.2", "10")
LARGE = ("20", "100", "25", "40", "2", "10")
CHEAPER = ("10", "50", "12.5", "20", "1", "10")
PRICES = PriceTable(
    Price(model, since, *map(Decimal, figures), prompt_over=0, source="test")
    for model, since, figures in (
        ("small", date(2026, 1, 1), SMALL),
        ("large", date(2026, 1, 1), LARGE),
        ("large", date(2026, 11, 10), CHEAPER),
    )
)
MILLION = 1_000_000
COLUMNS = (
    *("model", "inference_geo", "tier", "part", "unpriced_by"),
    *("requests", "uses", "prompt_over", "prompt_up_to"),
)


def spent(
    workspace: Workspace,
    day: date | datetime,
    *usage: dict,
    results_state: str = "read",
    is_canceled: bool = False,
    **columns,
) -> Batch:
    """A batch with usage, created at a moment, or at noon of a day."""
    created = day if isinstance(day, datetime) else datetime.combine(day, time(12), UTC)
    counts = {"succeeded": 10}
    if columns.get("processing_status") == "in_progress":
        counts = {"processing": 10}
    elif is_canceled:
        counts = {"succeeded": 4, "canceled": 6}
    if "processing" not in counts:
        counts |= {"processing_status": "ended", "ended_at": created + timedelta(minutes=5)}
        counts["results_state"] = results_state
    number = Batch.objects.count() + 1
    api_id = columns.pop("api_id", f"msgbatch_{number:06d}")
    batch = mirror(workspace, api_id, now=created, created_at=created, **counts | columns)
    for used in usage:
        BatchUsage.objects.create(
            **{
                "batch": batch,
                "workspace": workspace,
                "model": "small",
                "requests": 10,
                "day": created.astimezone(UTC).date(),
                "is_canceled": batch.is_canceled,
                "label": batch.label,
                "owner": batch.owner,
                **used,
            }
        )
    return batch


def used(**figures) -> dict:
    """Usage in millions of tokens: used(input=3) costs $3 of the small model as a batch."""
    searches = figures.pop("web_searches", 0)
    columns = {name: figures.pop(name) for name in COLUMNS if name in figures}
    tokens = {
        f"{name}_tokens": int(Decimal(str(count)) * MILLION) for name, count in figures.items()
    }
    return columns | tokens | {"web_searches": searches}
