"""Figures of spend: what usage cost, and the batches whose cost is missing from it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from batches.pricing import BATCH_TIER, CLASSES, EXACT, ZERO
from batches.spend.summing import PricedUsage

# Why the cost of a batch, or of a part of it, is missing from a figure.
MISSING = ("running", "unread", "unreadable", "lost", "incomplete", "unpriced")
# The results of these have been read, and a part of their cost is included.
IN_PART = ("incomplete", "unpriced")


@dataclass(slots=True)
class Figure:
    """What some batches cost in USD, and how many others are missing from that."""

    # The sum of everything with a price, which may be a part of the cost only.
    known: Decimal = ZERO
    standard: Decimal = ZERO
    # Succeeded requests, the only ones that are billed; and those of them with a price.
    requests: int = 0
    priced: int = 0
    # Of the requests, those that did not run at the batch tier, by tier.
    off_tier: Counter[str] = field(default_factory=Counter)
    # Batches whose results have been read, those of IN_PART included.
    read: int = 0
    missing: Counter[str] = field(default_factory=Counter)

    def add(self, usage: PricedUsage) -> None:
        self.requests += usage.requests
        if (tier := usage.by["tier"]) != BATCH_TIER and usage.requests:
            self.off_tier[tier] += usage.requests
        if usage.rates:
            self.priced += usage.requests
            self.known += usage.cost
            self.standard += usage.standard

    def include(self, other: "Figure") -> None:
        """Add all of another figure, which covers other batches."""
        for name in ("known", "standard", "requests", "priced", "read"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.off_tier.update(other.off_tier)
        self.missing.update(other.missing)

    @property
    def batches(self) -> int:
        return self.read + sum(self.missing[kind] for kind in MISSING if kind not in IN_PART)

    @property
    def missing_batches(self) -> int:
        """Batches that are not included, or only in part."""
        return self.missing.total()

    @property
    def missing_by_kind(self) -> list[tuple[str, int]]:
        """The kinds of missing batches and how many there are of each, in the order of MISSING."""
        return [(kind, self.missing[kind]) for kind in MISSING if self.missing[kind]]

    @property
    def is_whole(self) -> bool:
        """Nothing is missing."""
        return not self.missing.total() and self.requests == self.priced

    @property
    def cost(self) -> Decimal | None:
        """None where nothing is known: unknown is never zero."""
        something = self.priced or self.read > self.missing["unpriced"]
        return self.known if something or self.is_whole else None

    @property
    def saving(self) -> Decimal | None:
        """How much less than the standard price everything with a price cost."""
        return None if self.cost is None else self.standard - self.known


@dataclass(slots=True)
class ClassFigure:
    """One class of tokens, or web searches: how many, how many have no price, and USD."""

    name: str
    quantity: int = 0
    unpriced: int = 0
    known: Decimal = ZERO

    @property
    def cost(self) -> Decimal | None:
        return None if self.quantity and self.quantity == self.unpriced else self.known


def by_class(rows: Iterable[PricedUsage]) -> list[ClassFigure]:
    """A figure for every class, also for those that were not used."""
    figures = [ClassFigure(name) for name in CLASSES]
    with localcontext(EXACT):
        for row in rows:
            for at, (figure, quantity) in enumerate(zip(figures, row.quantities, strict=True)):
                figure.quantity += quantity
                if row.rates is None:
                    figure.unpriced += quantity
                else:
                    figure.known += quantity * row.rates.batch[at]
    return figures
