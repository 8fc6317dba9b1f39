"""What one batch cost: the prices of its usage rows, or why there is no cost."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from django.conf import settings

from batches.models import Batch, BatchUsage
from batches.pricing import BATCH_TIER, CLASSES, ZERO, Cost, PriceTable, Quantities
from batches.pricing.table import Unpriced

# `unreadable` means that the file exists, and that five attempts could not read it. An `incomplete`
# cost lacks some lines of the file, an `unpriced` one some prices.
type CostState = Literal["computed", "pending", "unreadable", "incomplete", "unpriced", "lost"]


class UnpricedReason(NamedTuple):
    """Why usage has no price: what lacks one, and its name.

    For "field", `word` names the fields of the usage that may change the price; for "prompt", the
    model.
    """

    lacks: Unpriced | Literal["field"]
    word: str


@dataclass(frozen=True, slots=True)
class UsageCost:
    """One usage row and what it cost: None where it has no price."""

    usage: BatchUsage
    cost: Cost | None

    @property
    def reason(self) -> UnpricedReason | None:
        """Why there is no cost; None where there is one."""
        if self.cost:
            return None
        return why_unpriced(vars(self.usage))


@dataclass(frozen=True, slots=True)
class BatchCost:
    """A batch's cost in USD, or why there is none. Unknown is never zero."""

    state: CostState
    rows: tuple[UsageCost, ...] = ()
    # Lines of the results file that could not be understood.
    unknown_lines: int = 0

    @property
    def requests(self) -> int:
        """Requests that were billed, or may have been."""
        return sum(row.usage.requests for row in self.rows) + self.unknown_lines

    @property
    def known_requests(self) -> int:
        """Requests whose entire cost is known."""
        priced = sum(row.usage.requests for row in self.rows if row.cost)
        # Some requests in priced rows also have tokens in unpriced rows.
        partly = sum(row.usage.uses - row.usage.requests for row in self.rows if not row.cost)
        return max(0, priced - max(0, partly))

    @property
    def off_tier(self) -> Counter[str]:
        """Requests that did not run at the batch tier, by tier."""
        counted: Counter[str] = Counter()
        for row in self.rows:
            if row.usage.tier != BATCH_TIER:
                counted[row.usage.tier] += row.usage.requests
        return +counted

    @property
    def has_advisor(self) -> bool:
        return any(row.usage.part == BatchUsage.Part.ADVISOR for row in self.rows)

    @property
    def known(self) -> Decimal:
        """The sum of everything with a price, which may be only a part of the cost."""
        return sum((row.cost.total for row in self.rows if row.cost), ZERO)

    @property
    def is_known_in_part(self) -> bool:
        """`known` is the whole cost, or the cost of at least some requests."""
        return self.state == "computed" or any(row.cost for row in self.rows)

    @property
    def total(self) -> Decimal | None:
        """The whole cost; None unless every part of it is known."""
        return self.known if self.state == "computed" else None

    @property
    def standard(self) -> Decimal:
        """What everything with a price costs at the standard price."""
        return sum((row.cost.standard for row in self.rows if row.cost), ZERO)

    @property
    def saving(self) -> Decimal:
        return self.standard - self.known

    @property
    def unpriced(self) -> dict[UnpricedReason, int]:
        """Requests with tokens that have no price, by reason; one may count under several."""
        rows: dict[UnpricedReason, list[BatchUsage]] = defaultdict(list)
        for row in self.rows:
            if reason := row.reason:
                rows[reason].append(row.usage)
        return {reason: _requests_in(rows[reason]) for reason in sorted(rows)}

    @property
    def unpriced_models(self) -> list[str]:
        return [reason.word for reason in self.unpriced if reason.lacks == "model"]


def _requests_in(usage: Sequence[BatchUsage]) -> int:
    """Requests with tokens in the rows: those counted there, or more if more have a part there."""
    return max(sum(row.requests for row in usage), *(row.uses for row in usage))


def cost_of(batch: Batch) -> BatchCost:
    """The batch's cost by today's price table, from its usage rows, prefetched or not."""
    if batch.has_figures:
        return _cost_of_read(batch)
    match batch.results_state:
        case Batch.ResultsState.UNREADABLE:
            return BatchCost("unreadable")
        case Batch.ResultsState.LOST:
            return BatchCost("lost")
    return BatchCost("pending")


def _cost_of_read(batch: Batch) -> BatchCost:
    rows = tuple(
        UsageCost(usage, price(quantities(usage), vars(usage), usage.day))
        for usage in batch.usage.all()
    )
    state: CostState = "computed" if all(row.cost for row in rows) else "unpriced"
    return BatchCost("incomplete" if batch.unknown_lines else state, rows, batch.unknown_lines)


def price(used: Quantities, by: Mapping[str, Any], day: date) -> Cost | None:
    """What usage with the PRICED_BY values in `by` cost for a batch created on a day.

    None where it has no price.
    """
    if by["unpriced_by"]:
        return None
    table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
    return table.cost(
        used,
        by["model"],
        day,
        inference_geo=by["inference_geo"],
        tier=by["tier"],
        prompt_over=by["prompt_over"],
        prompt_up_to=by["prompt_up_to"],
    )


def why_unpriced(by: Mapping[str, Any]) -> UnpricedReason:
    """Why usage has no price; `by` has its day and PRICED_BY."""
    if by["unpriced_by"]:
        return UnpricedReason("field", by["unpriced_by"])
    table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
    terms = {name: by[name] for name in ("tier", "inference_geo")}
    lacks = table.why_unpriced(by["model"], by["day"], **terms)
    words = {"tier": by["tier"], "geo": by["inference_geo"]}
    return UnpricedReason(lacks, words.get(lacks, by["model"]))


def quantities(usage: BatchUsage) -> Quantities:
    """The figures of a usage row that are billed."""
    return Quantities(*(getattr(usage, name) for name in CLASSES))


def saved_by_cancel(batch: Batch, cost: BatchCost) -> Decimal | None:
    """A rough estimate of what canceling saved in USD; None where the mean cost isn't known.

    It is the mean cost of a succeeded request times the number of canceled ones.
    """
    if cost.total is None or not batch.succeeded or not batch.canceled:
        return None
    return cost.total / batch.succeeded * batch.canceled
