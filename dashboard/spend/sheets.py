"""The spend page's CSVs: its groups, its days, and the batches behind them.

Amounts are exact, where the page rounds. What is not known is an empty cell, with its reason in
another column.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch

from batches.models import Batch, BatchQuerySet
from batches.models.batch import COUNTS
from batches.pricing import CLASSES
from batches.search import used
from batches.spend.costs import cost_of, quantities
from batches.spend.figures import MISSING, Figure
from dashboard.cost_words import COST_COLUMNS, cost_cells
from dashboard.exports import in_blocks
from dashboard.spend.address import Spending
from dashboard.spend.tables import MISSING_WORDS, Tables

MISSING_HEADERS = [f"{MISSING_WORDS[kind]} (batches)" for kind in MISSING]
# The first cell of the last row. No page shows it as a name, which would be "without a label".
TOTAL = "(total)"
SHARE_DIGITS = 4
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
            row.figure.cost,
            None if row.share is None else round(row.share, SHARE_DIGITS),
            row.figure.saving,
            *missing(row.figure),
        ]
        for row in tables.groups
    ]
    figure = tables.total
    sums = [figure.batches, figure.requests, figure.cost, None, figure.saving, *missing(figure)]
    return Sheet("groups", header, len(rows), [*rows, [TOTAL, *sums]])


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
            row.figure.cost,
            *(cell.cost for cell in row.cells),
            *missing(row.figure),
        ]
        for row in tables.days
    ]
    series = [each.amount.exact for each in tables.series]
    total = [TOTAL, tables.total.cost, *series, *missing(tables.total)]
    return Sheet("days", header, len(rows), [*rows, total])


def batches_sheet(asked: Spending) -> Sheet:
    """One row for each batch of the period, read while it is written."""
    header = [
        *("id", "workspace", "label", "owner", "created (UTC)", "ended (UTC)", "outcome"),
        "results",
        *(f"{name} (requests)" for name in COUNTS),
        *(UNITS[name] for name in CLASSES),
        *(*COST_COLUMNS, "standard cost (USD)", "saving (USD)", "prices used"),
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
    return [
        *(batch.api_id, batch.workspace.name, batch.label, batch.owner),
        *(batch.created_at, batch.ended_at, batch.outcome),
        "running" if batch.is_active else batch.get_results_state_display(),
        *(getattr(batch, name) for name in COUNTS),
        *(used_up or [0 if cost.state == "computed" else None] * len(CLASSES)),
        *cost_cells(batch, cost),
        *((cost.standard, cost.saving) if cost.is_known_in_part else (None, None)),
        "; ".join(names),
    ]


def missing(figure: Figure) -> list[int]:
    return [figure.missing[kind] for kind in MISSING]
