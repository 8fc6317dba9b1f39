"""A batch's cost, rounded so that the amounts on its page add up (see `dashboard.rounding`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from batches.spend.costs import BatchCost
from dashboard.amount import Amount
from dashboard.batch.usage_tables import UsageTable
from dashboard.rounding import apportioned, nearest, unit_for


@dataclass(frozen=True, slots=True)
class BatchAmounts:
    """The amounts with a price: the lines add up to the cost, cost and saving to the standard."""

    cost: Amount
    standard: Amount
    saving: Amount
    lines: Sequence[Amount]

    @classmethod
    def of(cls, cost: BatchCost, usage: UsageTable) -> Self:
        exact = [line.cost.total if line.cost else None for line in usage.lines]
        known = [amount or Decimal(0) for amount in exact]
        unit = unit_for(cost.known, [cost.standard, *known])
        shown, standard = nearest(cost.known, unit), nearest(cost.standard, unit)
        return cls(
            cost=Amount(cost.known, shown),
            standard=Amount(cost.standard, standard),
            saving=Amount(cost.saving, standard - shown),
            lines=[
                Amount(*pair) for pair in zip(exact, apportioned(known, shown, unit), strict=True)
            ],
        )
