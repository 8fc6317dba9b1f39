"""Anthropic's figure for each workspace, next to Batchboard's."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

from batches.models import Workspace
from batches.reports.reconcile import Comparison
from dashboard.amount import Amount
from dashboard.rounding import CENT, apportioned, nearest


@dataclass(frozen=True, slots=True)
class ReportedCell:
    """What Anthropic reports for a workspace, or a note that says where that is."""

    # None if the figure is another workspace's, or if there is none.
    amount: Amount | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReportedColumn:
    """By the workspace's primary key; with the rest, the amounts add up to the total."""

    cells: dict[Any, ReportedCell]
    # Of workspaces that are not among the rows; None if Anthropic reports nothing for any.
    rest: Amount | None
    total: Amount


def reported_column(comparison: Comparison, workspaces: Sequence[Workspace]) -> ReportedColumn:
    """Of the days that Anthropic has reported, rounded to the cent so that the column adds up.

    Workspaces with keys of one of Anthropic's workspaces have one figure, in the first one's cell.
    """
    pairs: dict[int, str] = {}
    sums: dict[int | str, Decimal] = defaultdict(Decimal)
    for line in comparison.total.lines:
        api_id = line.pair.api_workspace_id
        sums[api_id] += line.reported or Decimal(0)
        pairs |= {workspace.pk: api_id for workspace in line.pair.workspaces}
    sharing: dict[int | str, list[Workspace]] = defaultdict(list)
    for each in workspaces:
        sharing[pairs.get(each.pk, each.pk)].append(each)
    exact = [sums.pop(key, Decimal(0)) for key in sharing]
    exact.append(sum(sums.values(), Decimal(0)))
    total = sum(exact, Decimal(0))
    shown = nearest(total, CENT)
    amounts = [Amount(*pair) for pair in zip(exact, apportioned(exact, shown, CENT), strict=True)]
    skipped = {each.workspace.pk for each in comparison.skipped}
    cells = {
        each.pk: _cell(each, group, amount, skipped)
        for group, amount in zip(sharing.values(), amounts, strict=False)
        for each in group
    }
    rest = amounts[-1]
    return ReportedColumn(cells, rest if rest.exact else None, Amount(total, shown))


def _cell(
    workspace: Workspace, sharing: Sequence[Workspace], amount: Amount, skipped: Container[int]
) -> ReportedCell:
    if workspace.pk in skipped:
        return ReportedCell(None, "not compared")
    first, *others = sharing
    if workspace != first:
        return ReportedCell(None, f"in {first.name}’s figure")
    names = ", ".join(each.name for each in others)
    return ReportedCell(amount, f"with {names}" if names else "")


def sum_reported(cells: Iterable[ReportedCell | None]) -> Amount | None:
    """None if no cell has an amount."""
    amounts = [cell.amount for cell in cells if cell and cell.amount]
    return reduce(add, amounts) if amounts else None
