"""A period's amounts as the spend page shows them: rounded so that they add up.

Cost and saving add up to the standard cost; series, days, groups and token classes to the total;
and the cells of the table of days to the day's and the series' amounts. `dashboard.rounding` says
how. The CSVs have exact amounts.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Self

from batches.spend.figures import Figure
from batches.spend.totals import Spend
from dashboard.amount import Amount
from dashboard.rounding import EXACT, apportioned, apportioned_table, nearest, unit_for

type Keys = frozenset[Any]


@dataclass(frozen=True, slots=True)
class PageTotals:
    """The amounts of the whole period, and the unit to which the page rounds every amount."""

    unit: Decimal
    cost: Amount
    standard: Amount
    saving: Amount

    @classmethod
    def of(cls, spend: Spend) -> Self:
        total = spend.total
        figures = [*spend.days.values(), *spend.cells.values(), *spend.groups.values()]
        known = [each.known for each in figures] + [each.known for each in spend.classes]
        unit = unit_for(total.known, [total.standard, *known])
        cost, standard = nearest(total.known, unit), nearest(total.standard, unit)
        return cls(
            unit=unit,
            cost=Amount(total.cost, cost),
            standard=Amount(None if total.cost is None else total.standard, standard),
            saving=Amount(total.saving, standard - cost),
        )


@dataclass(frozen=True, slots=True)
class Grid:
    """Amounts by day and series, in the given order, and the sums of both."""

    cells: Sequence[Sequence[Amount]]
    days: Sequence[Amount]
    series: Sequence[Amount]

    @classmethod
    def of(cls, spend: Spend, days: Sequence[date], series: Sequence[Keys], unit: Decimal) -> Self:
        exact = [[_known_cost(spend, day, keys) for keys in series] for day in days]
        cells = [
            [Amount(*pair) for pair in zip(*rows, strict=True)]
            for rows in zip(exact, apportioned_table(exact, unit), strict=True)
        ]
        nothing = Amount(Decimal(0), 0 * unit)
        return cls(
            cells,
            days=[
                Amount(spend.days[day].cost, sum(row, nothing).shown)
                for day, row in zip(days, cells, strict=True)
            ],
            series=[sum(column, nothing) for column in zip(*cells, strict=True)],
        )


def group_amounts(
    groups: Mapping[Hashable, Figure], totals: PageTotals, series: Mapping[Keys, Amount]
) -> dict[Hashable, tuple[Amount, Amount]]:
    """Cost and saving of each group.

    `series` are given if they divide the costs as the groups do: then both show the same amounts.
    """
    costs = (
        _shown_as(series, groups, totals.unit)
        if series
        else _apportioned(groups, totals.cost.shown, totals.unit)
    )
    exact_savings = [EXACT.subtract(each.standard, each.known) for each in groups.values()]
    savings = apportioned(exact_savings, totals.saving.shown, totals.unit)
    return {
        key: (Amount(figure.cost, costs[key]), Amount(figure.saving, saving))
        for (key, figure), saving in zip(groups.items(), savings, strict=True)
    }


def class_amounts(spend: Spend, totals: PageTotals) -> list[Amount]:
    parts = [figure.known for figure in spend.classes]
    shown = apportioned(parts, totals.cost.shown, totals.unit)
    return [
        Amount(*pair) for pair in zip((each.cost for each in spend.classes), shown, strict=True)
    ]


def _known_cost(spend: Spend, day: date, keys: Iterable[Any]) -> Decimal:
    total = Decimal(0)
    for key in keys:
        if (day, key) in spend.cells:
            total = EXACT.add(total, spend.cells[day, key].known)
    return total


def _shown_as(
    series: Mapping[Keys, Amount], groups: Mapping[Any, Figure], unit: Decimal
) -> dict[Any, Decimal]:
    """The groups of one series add up to what it shows; groups of no series cost nothing."""
    found = dict.fromkeys(groups, 0 * unit)
    for keys, amount in series.items():
        of_series = {key: groups[key] for key in groups if key in keys}
        found |= _apportioned(of_series, amount.shown, unit)
    return found


def _apportioned(groups: Mapping[Any, Figure], total: Decimal, unit: Decimal) -> dict[Any, Decimal]:
    parts = [figure.known for figure in groups.values()]
    return dict(zip(groups, apportioned(parts, total, unit), strict=True))
