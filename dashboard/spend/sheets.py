"""The spend page's CSVs: its groups, its days, and the batches behind them.

Amounts are exact, while the page rounds. An unknown amount is an empty cell, with the reason in
another column.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
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
from dashboard.spend.address import Selection
from dashboard.spend.not_included import MISSING_WORDS
from dashboard.spend.tables import SpendTables

NOT_INCLUDED_HEADERS = [f"not included: {MISSING_WORDS[kind]} (batches)" for kind in MISSING]
# The first cell of the last row, where a group has its name.
TOTAL_NAME = "(total)"
# The first cell of what Anthropic reports for workspaces that are in no other row.
ONLY_REPORTED = "(only in Anthropic's report)"
REPORTED_HEADER = "Anthropic's report (USD)"
SHARE_DIGITS = 4
UNITS = {"web_searches": "web searches (count)"} | {
    name: f"{name.removesuffix('_tokens').replace('_', ' ')} (tokens)"
    for name in CLASSES
    if name.endswith("_tokens")
}

# The cells of a row, and the figure behind them.
type SheetRow = tuple[list[Any], Figure]


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    header: list[str]
    count: int
    rows: Iterable[list[Any]]


def groups_sheet(tables: SpendTables) -> Sheet:
    """The page's groups, all of them."""
    header = [tables.selection.group, "batches", "billed requests", "cost (USD)", "share (%)"]
    header.append("saving (USD)")
    rows = [(_group_cells(row.name, row.figure, row.share), row.figure) for row in tables.groups]
    total = _group_cells(TOTAL_NAME, tables.total, None), tables.total
    if tables.reported:
        header.append(REPORTED_HEADER)
        for row, (cells, _) in zip(tables.groups, rows, strict=True):
            amount = row.reported.amount if row.reported else None
            cells.append(amount.exact if amount else None)
        if tables.reported.rest:
            rows.append(([ONLY_REPORTED, *[None] * 5, tables.reported.rest.exact], Figure()))
        total[0].append(tables.reported.total.exact)
    return _sheet("groups", header, rows, total)


def days_sheet(tables: SpendTables) -> Sheet:
    """The page's days, a column for each model or workspace, also where the page has "others"."""
    cells, keys = tables.spend.cells, tables.series_keys
    names = [tables.series_name(key) for key in keys]
    rows = [
        (
            [str(row.day), row.figure.cost, *(_known(cells.get((row.day, key))) for key in keys)],
            row.figure,
        )
        for row in tables.days
    ]
    series = [tables.spend.series[key].known for key in keys]
    header = ["day (UTC)", "total (USD)", *(f"{name} (USD)" for name in names)]
    return _sheet("days", header, rows, ([TOTAL_NAME, tables.total.cost, *series], tables.total))


def _known(figure: Figure | None) -> Decimal:
    return figure.known if figure else Decimal(0)


def _group_cells(name: str, figure: Figure, share: Decimal | None) -> list[Any]:
    percent = None if share is None else round(share, SHARE_DIGITS)
    return [name, figure.batches, figure.requests, figure.cost, percent, figure.saving]


def _sheet(name: str, header: list[str], rows: list[SheetRow], total: SheetRow) -> Sheet:
    """Each row ends with the numbers of batches that its figure does not include."""
    lines = [
        [*cells, *(figure.missing[kind] for kind in MISSING)] for cells, figure in [*rows, total]
    ]
    return Sheet(name, [*header, *NOT_INCLUDED_HEADERS], len(rows), lines)


def batches_sheet(selection: Selection) -> Sheet:
    """One row for each batch of the period, read as they are consumed."""
    header = [
        *("id", "workspace", "label", "owner", "created (UTC)", "ended (UTC)", "outcome"),
        "results",
        *(f"{name} (requests)" for name in COUNTS),
        *(UNITS[name] for name in CLASSES),
        *(*COST_COLUMNS, "standard cost (USD)", "saving (USD)", "prices used"),
    ]
    return Sheet("batches", header, batches_of(selection).count(), _batch_rows(selection))


def _batch_rows(selection: Selection) -> Iterator[list[Any]]:
    """Oldest first. With a filter by model, a batch's figures are those of that model alone."""
    question = selection.question
    usage = Prefetch("usage", question.usage(question.period).order_by("model", "pk"))
    batches = (
        batches_of(selection).with_workspace().defer("raw", "note").order_by("created_at", "pk")
    )
    for batch in in_blocks(batches.prefetch_related(usage)):
        yield _batch_row(batch)


def batches_of(selection: Selection) -> BatchQuerySet:
    question = selection.question
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
