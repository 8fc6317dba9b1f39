"""What one batch cost: its usage rows priced, and a word where no figure can be given."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from django.conf import settings

from batches.models import Batch, BatchUsage
from batches.models.usage import TOKEN_CLASSES
from batches.pricing import Cost, PriceTable, Quantities

# `unreadable` is pending with a reason: the file is there, and five tries could not read it.
type CostState = Literal["computed", "pending", "unreadable", "unpriced", "lost"]

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class UsageCost:
    """One usage row and what it cost; None where its model has no price."""

    usage: BatchUsage
    cost: Cost | None


@dataclass(frozen=True, slots=True)
class BatchCost:
    """A batch's cost in USD, or why there is none. Unknown is never zero (ux.md 4)."""

    state: CostState
    rows: tuple[UsageCost, ...] = ()

    @property
    def known(self) -> Decimal:
        """The sum of what has a price, be it a part only."""
        return sum((row.cost.total for row in self.rows if row.cost), ZERO)

    @property
    def total(self) -> Decimal | None:
        """The whole cost; None unless every part of it is known."""
        return self.known if self.state == "computed" else None

    @property
    def standard(self) -> Decimal:
        """What the parts with a price would have cost outside of a batch."""
        return sum((row.cost.standard for row in self.rows if row.cost), ZERO)

    @property
    def saving(self) -> Decimal:
        return self.standard - self.known

    @property
    def unpriced_models(self) -> list[str]:
        return sorted({row.usage.model for row in self.rows if row.cost is None})


def cost_of(batch: Batch) -> BatchCost:
    """From the batch's usage rows, prefetched or not, by the price table as it is today."""
    match batch.results_state:
        case Batch.ResultsState.READ:
            rows = tuple(UsageCost(usage, price(usage)) for usage in batch.usage.all())
            is_whole = all(row.cost for row in rows)
            return BatchCost("computed" if is_whole else "unpriced", rows)
        case Batch.ResultsState.UNREADABLE:
            return BatchCost("unreadable")
        case Batch.ResultsState.LOST:
            return BatchCost("lost")
    return BatchCost("pending")


def price(usage: BatchUsage) -> Cost | None:
    """The cost of one usage row on the day its batch was created."""
    table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
    return table.cost(
        quantities(usage),
        usage.model,
        usage.day,
        inference_geo=usage.inference_geo,
        prompt_over=usage.prompt_over,
        prompt_up_to=usage.prompt_up_to,
    )


def quantities(usage: BatchUsage) -> Quantities:
    """The billed figures of a usage row."""
    return Quantities(*(getattr(usage, name) for name in (*TOKEN_CLASSES, "web_searches")))


def saved_by_cancel(batch: Batch, cost: BatchCost) -> Decimal | None:
    """Roughly what canceling saved, in USD: the mean cost of a succeeded request times the
    canceled ones (ux.md 10). None where no mean is known.
    """
    if cost.total is None or not batch.succeeded or not batch.canceled:
        return None
    return cost.total / batch.succeeded * batch.canceled
