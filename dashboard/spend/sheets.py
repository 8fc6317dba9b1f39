"""The spend page's CSVs: its groups, its days, and the batches behind them.

Money is exact to the sixth decimal, where the page rounds to the cent. What is not known is the
word "unknown": an empty cell would count as nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch

from batches.costs import cost_of, quantities
from batches.models import Batch, BatchQuerySet
from batches.models.batch import COUNTS
from batches.spend.figures import MISSING, Figure
from batches.spend.summing import CLASSES
from dashboard.exports import UNKNOWN, in_blocks, usd
from dashboard.listing import used
from dashboard.spend.address import Spending
from dashboard.spend.tables import MISSING_WORDS, Tables

MISSING_HEADERS = [f"{MISSING_WORDS[kind]} (batches)" for kind in MISSING]
UNITS = {"web_searches": "web searches (count)"} | {
    name: f"{name.removesuffix('_tokens').replace('_', ' ')} (tokens)"
    for name in CLASSES
    if name.endswith("_tokens")
}


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    header: list[str]
    count: int
    rows: Iterable[list[Any]]


def groups_sheet(tables: Tables) -> Sheet:
    """The page's groups, all of them."""
    header = [
        tables.asked.group,
        "batches",
        "billed requests",
        "cost (USD)",
        "share (%)",
        "saving (USD)",
        *MISSING_HEADERS,
    ]
    rows = [
        [
            row.name,
            row.figure.batches,
            row.figure.requests,
            usd(row.figure.cost),
            UNKNOWN if row.share is None else f"{row.share:.4f}",
            usd(row.figure.saving),
            *missing(row.figure),
        ]
        for row in tables.groups
    ]
    return Sheet("groups", header, len(rows), rows)


def days_sheet(tables: Tables) -> Sheet:
    """The page's days, a column for each series of the chart."""
    header = [
        "day (UTC)",
        "total (USD)",
        *(f"{series.name} (USD)" for series in tables.series),
        *MISSING_HEADERS,
    ]
    rows = [
        [
            str(row.day),
            usd(row.figure.cost),
            *(usd(cell.cost) for cell in row.cells),
            *missing(row.figure),
        ]
        for row in tables.days
    ]
    return Sheet("days", header, len(rows), rows)


def batches_sheet(asked: Spending) -> Sheet:
    """One row for each batch of the period, read while it is written."""
    header = [
        *("id", "workspace", "label", "owner", "created (UTC)", "ended (UTC)", "outcome"),
        "results",
        *(f"{name} (requests)" for name in COUNTS),
        *(UNITS[name] for name in CLASSES),
        *("cost state", "cost (USD)", "standard cost (USD)", "saving (USD)", "prices used"),
    ]
    return Sheet("batches", header, batches_of(asked).count(), batch_rows(asked))


def batch_rows(asked: Spending) -> Iterator[list[Any]]:
    """Oldest first. Where a model is asked for, a batch's figures are of that model alone."""
    question = asked.question
    usage = Prefetch("usage", question.usage(question.period).order_by("model", "pk"))
    batches = batches_of(asked).with_workspace().defer("raw", "note").order_by("created_at", "pk")
    for batch in in_blocks(batches.prefetch_related(usage)):
        yield _batch_row(batch)


def batches_of(asked: Spending) -> BatchQuerySet:
    question = asked.question
    batches = question.batches(question.period)
    return batches if question.model is None else batches.filter(used(question.model))


def _batch_row(batch: Batch) -> list[Any]:
    cost = cost_of(batch)
    figures = [quantities(row.usage) for row in cost.rows]
    used_up = [sum(of_class) for of_class in zip(*figures, strict=True)]
    names = sorted({row.cost.price.name for row in cost.rows if row.cost})
    # Read, but without a single price: nothing is known of what it cost.
    is_known = cost.state == "computed" or names
    money = (cost.known, cost.standard, cost.saving) if is_known else (None, None, None)
    return [
        *(batch.api_id, batch.workspace.name, batch.label, batch.owner),
        *(batch.created_at, batch.ended_at, batch.outcome),
        "running" if batch.is_active else batch.get_results_state_display(),
        *(getattr(batch, name) for name in COUNTS),
        *(used_up or [0 if cost.state == "computed" else UNKNOWN] * len(CLASSES)),
        cost.state,
        *(usd(amount) for amount in money),
        "; ".join(names),
    ]


def missing(figure: Figure) -> list[int]:
    return [figure.missing[kind] for kind in MISSING]
