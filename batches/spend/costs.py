"""What one batch cost: its usage rows priced, and a word where no figure can be given."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from django.conf import settings

from batches.models import Batch, BatchUsage
from batches.models.usage import PRICED_BY, TOKEN_CLASSES
from batches.pricing import BATCH_TIER, Cost, PriceTable, Quantities
from batches.pricing.table import Unpriced

# `unreadable` is pending with a reason: the file is there, and five tries could not read it. Of an
# `incomplete` cost some lines are not known, of an `unpriced` one some prices.
type CostState = Literal["computed", "pending", "unreadable", "incomplete", "unpriced", "lost"]

ZERO = Decimal(0)


class UnpricedReason(NamedTuple):
    """Why usage has no price: what the price lacks, and the word for it.

    "field" names fields of the usage that may change the price; "prompt" names the model.
    """

    lacks: Unpriced | Literal["field"]
    word: str


@dataclass(frozen=True, slots=True)
class UsageCost:
    """One usage row and what it cost; None where it has no price."""

    usage: BatchUsage
    cost: Cost | None

    @property
    def reason(self) -> UnpricedReason | None:
        """Why there is no cost; None where there is one."""
        if self.cost:
            return None
        return why_unpriced({name: getattr(self.usage, name) for name in ("day", *PRICED_BY)})


@dataclass(frozen=True, slots=True)
class BatchCost:
    """A batch's cost in USD, or why there is none. Unknown is never zero (ux.md 4)."""

    state: CostState
    rows: tuple[UsageCost, ...] = ()
    # Lines of the results of which it is not known what they came to.
    unknown_lines: int = 0

    @property
    def requests(self) -> int:
        """Requests that were billed, or may have been."""
        return sum(row.usage.requests for row in self.rows) + self.unknown_lines

    @property
    def known_requests(self) -> int:
        """Requests whose whole cost is known."""
        priced = sum(row.usage.requests for row in self.rows if row.cost)
        # Some requests of the priced rows have tokens in unpriced rows as well.
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
        """The sum of what has a price, be it a part only."""
        return sum((row.cost.total for row in self.rows if row.cost), ZERO)

    @property
    def is_known_in_part(self) -> bool:
        """`known` says something: it is the whole cost, or the cost of some requests."""
        return self.state == "computed" or any(row.cost for row in self.rows)

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
    def unpriced(self) -> dict[UnpricedReason, int]:
        """Requests with tokens that have no price, by the reason; one may be under several."""
        rows: dict[UnpricedReason, list[BatchUsage]] = defaultdict(list)
        for row in self.rows:
            if reason := row.reason:
                rows[reason].append(row.usage)
        return {reason: _requests_in(rows[reason]) for reason in sorted(rows)}

    @property
    def unpriced_models(self) -> list[str]:
        return [reason.word for reason in self.unpriced if reason.lacks == "model"]


def _requests_in(rows: Iterable[BatchUsage]) -> int:
    """Requests with tokens in the rows: those counted there, unless more have a part there."""
    usage = list(rows)
    return max(sum(row.requests for row in usage), *(row.uses for row in usage))


def cost_of(batch: Batch) -> BatchCost:
    """From the batch's usage rows, prefetched or not, by the price table as it is today."""
    if batch.has_figures:
        return _cost_of_read(batch)
    match batch.results_state:
        case Batch.ResultsState.UNREADABLE:
            return BatchCost("unreadable")
        case Batch.ResultsState.LOST:
            return BatchCost("lost")
    return BatchCost("pending")


def _cost_of_read(batch: Batch) -> BatchCost:
    rows = tuple(UsageCost(usage, price(usage)) for usage in batch.usage.all())
    state: CostState = "computed" if all(row.cost for row in rows) else "unpriced"
    return BatchCost("incomplete" if batch.unknown_lines else state, rows, batch.unknown_lines)


def price(usage: BatchUsage) -> Cost | None:
    """The cost of one usage row on the day its batch was created; None where it has no price."""
    if usage.unpriced_by:
        return None
    table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
    return table.cost(
        quantities(usage),
        usage.model,
        usage.day,
        inference_geo=usage.inference_geo,
        tier=usage.tier,
        prompt_over=usage.prompt_over,
        prompt_up_to=usage.prompt_up_to,
    )


def why_unpriced(by: Mapping[str, Any]) -> UnpricedReason:
    """Why usage has no price, by its day and PRICED_BY, all of which `by` has."""
    if by["unpriced_by"]:
        return UnpricedReason("field", by["unpriced_by"])
    table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
    terms = {name: by[name] for name in ("tier", "inference_geo")}
    lacks = table.why_unpriced(by["model"], by["day"], **terms)
    words = {"tier": by["tier"], "geo": by["inference_geo"]}
    return UnpricedReason(lacks, words.get(lacks, by["model"]))


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
