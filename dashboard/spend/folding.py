"""Folds the end of a long table of groups into one row."""

from dataclasses import dataclass
from functools import reduce
from operator import add

from batches.spend.figures import Figure
from dashboard.amount import Amount
from dashboard.spend.reported import sum_reported
from dashboard.spend.tables import GroupRow


@dataclass(frozen=True, slots=True)
class FoldedGroups:
    """The sum of the rows that are not shown."""

    count: int
    figure: Figure
    cost: Amount
    saving: Amount
    # None where Anthropic reports nothing that belongs to one of them alone.
    reported: Amount | None


def fold_groups(rows: list[GroupRow], most: int) -> tuple[list[GroupRow], FoldedGroups | None]:
    """The first `most` rows and the sum of the others, which is None if all are shown.

    One row is never folded alone.
    """
    if len(rows) <= most + 1:
        return rows, None
    shown, others = rows[:most], rows[most:]
    figure = Figure()
    for row in others:
        figure.include(row.figure)
    return shown, FoldedGroups(
        len(others),
        figure,
        reduce(add, (row.cost for row in others)),
        reduce(add, (row.saving for row in others)),
        sum_reported(row.reported for row in others),
    )
