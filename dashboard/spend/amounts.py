"""A period's money as the spend page shows it: rounded so that all of it adds up (ux.md 39).

Cost and saving come to the standard cost; series, days, groups and token classes to the total;
and the cells of the table of days to the day's and the series' figures. `dashboard.rounding` says
how. The CSVs have exact amounts.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any

from batches.spend.figures import Figure
from batches.spend.totals import Spend
from dashboard.amount import Amount
from dashboard.rounding import EXACT, apportioned, apportioned_table, nearest, unit_for


@dataclass(frozen=True, slots=True)
class Amounts:
    total: Amount
    standard: Amount
    saving: Amount
    # By day and series, in the order that they were asked for in.
    cells: Sequence[Sequence[Amount]]
    days: Sequence[Amount]
    series: Sequence[Amount]
    # Cost and saving by group.
    groups: Mapping[Hashable, tuple[Amount, Amount]]
    classes: Sequence[Amount]


def amounts(
    answer: Spend,
    days: Sequence[date],
    series: Sequence[frozenset[Any]],
    *,
    is_grouped_as_stacked: bool,
) -> Amounts:
    """Each of the series is the keys that are one color of the chart.

    Where groups and series are the same things, they are shown alike.
    """
    total = answer.total
    exact_cells = [[_known(answer, day, keys) for keys in series] for day in days]
    costs = [figure.known for figure in answer.groups.values()]
    classes = [figure.known for figure in answer.classes]
    unit = unit_for(total.known, chain([total.standard], costs, classes, *exact_cells))
    zero = 0 * unit
    cost, standard = nearest(total.known, unit), nearest(total.standard, unit)
    cells = apportioned_table(exact_cells, unit)
    of_series = [sum(column, zero) for column in zip(*cells, strict=True)]
    shown_groups = (
        _as_series(answer.groups, series, of_series, unit)
        if is_grouped_as_stacked
        else dict(zip(answer.groups, apportioned(costs, cost, unit), strict=True))
    )
    savings = apportioned(
        [_saving(figure) for figure in answer.groups.values()], standard - cost, unit
    )
    return Amounts(
        total=Amount(total.cost, cost),
        standard=Amount(None if total.cost is None else total.standard, standard),
        saving=Amount(total.saving, standard - cost),
        cells=[
            [Amount(*pair) for pair in zip(*rows, strict=True)]
            for rows in zip(exact_cells, cells, strict=True)
        ],
        days=[
            Amount(answer.days[day].cost, sum(row, zero))
            for day, row in zip(days, cells, strict=True)
        ],
        series=[
            Amount(sum(column, Decimal(0)), shown)
            for column, shown in zip(zip(*exact_cells, strict=True), of_series, strict=True)
        ],
        groups={
            key: (Amount(figure.cost, shown_groups[key]), Amount(figure.saving, saving))
            for (key, figure), saving in zip(answer.groups.items(), savings, strict=True)
        },
        classes=[
            Amount(figure.cost, shown)
            for figure, shown in zip(answer.classes, apportioned(classes, cost, unit), strict=True)
        ],
    )


def _known(answer: Spend, day: date, keys: Iterable[Any]) -> Decimal:
    found = [answer.cells[day, key].known for key in keys if (day, key) in answer.cells]
    return _sum(found)


def _sum(exact: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in exact:
        total = EXACT.add(total, amount)
    return total


def _saving(figure: Figure) -> Decimal:
    return EXACT.subtract(figure.standard, figure.known)


def _as_series(
    groups: Mapping[Any, Figure],
    series: Sequence[frozenset[Any]],
    shown: Sequence[Decimal],
    unit: Decimal,
) -> dict[Any, Decimal]:
    """Each group as its series is shown; those that share a series share what it shows."""
    found = dict.fromkeys(groups, 0 * unit)
    for keys, total in zip(series, shown, strict=True):
        together = [key for key in groups if key in keys]
        parts = apportioned([groups[key].known for key in together], total, unit)
        found |= dict(zip(together, parts, strict=True))
    return found
