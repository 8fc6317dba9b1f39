"""Figures of spend: sums of usage with what they cost, and the batches that are not in them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

from batches.pricing import BATCH_TIER
from batches.spend.summing import CLASSES, ZERO, PricedUsage

# Digits enough for every sum of exact costs to be exact too.
DIGITS = 100
# Why a batch, or a part of one, is not in a figure of money (ux.md 4).
MISSING = ("running", "unread", "unreadable", "lost", "incomplete", "unpriced")
# Those of which a part is in it, as their results have been read.
IN_PART = ("incomplete", "unpriced")


@dataclass(slots=True)
class Figure:
    """What some batches came to, in USD, and how many of them it is not of."""

    # The sum of what has a price, be it a part only.
    known: Decimal = ZERO
    standard: Decimal = ZERO
    # Succeeded requests: the only ones that are billed; and those of them with a price.
    requests: int = 0
    priced: int = 0
    # Of the requests, those that did not run at the batch tier, by tier.
    off_tier: Counter[str] = field(default_factory=Counter)
    # Batches whose results have been read; those of IN_PART are among them.
    read: int = 0
    missing: Counter[str] = field(default_factory=Counter)

    def add(self, sums: PricedUsage) -> None:
        self.requests += sums.requests
        if (tier := sums.by["tier"]) != BATCH_TIER and sums.requests:
            self.off_tier[tier] += sums.requests
        if sums.rates:
            self.priced += sums.requests
            self.known += sums.cost
            self.standard += sums.standard

    def include(self, other: "Figure") -> None:
        """Add all of another figure, of other batches."""
        for name in ("known", "standard", "requests", "priced", "read"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.off_tier.update(other.off_tier)
        self.missing.update(other.missing)

    @property
    def batches(self) -> int:
        return self.read + sum(self.missing[kind] for kind in MISSING if kind not in IN_PART)

    @property
    def left_out_batches(self) -> int:
        """Batches of which it is not, or only in part."""
        return self.missing.total()

    @property
    def is_whole(self) -> bool:
        """Nothing is missing from it."""
        return not self.missing.total() and self.requests == self.priced

    @property
    def cost(self) -> Decimal | None:
        """None where nothing at all is known: unknown is never zero (ux.md 4)."""
        something = self.priced or self.read > self.missing["unpriced"]
        return self.known if something or self.is_whole else None

    @property
    def saving(self) -> Decimal | None:
        """Against standard prices, of what has a price."""
        return None if self.cost is None else self.standard - self.known

    @property
    def left_out(self) -> list[tuple[str, int]]:
        """Why batches are not in it and how many, in the order of MISSING."""
        return [(kind, self.missing[kind]) for kind in MISSING if self.missing[kind]]


@dataclass(slots=True)
class ClassFigure:
    """One class of tokens, or web searches: how many, without a price among them, and USD."""

    name: str
    quantity: int = 0
    unpriced: int = 0
    known: Decimal = ZERO

    @property
    def cost(self) -> Decimal | None:
        return None if self.quantity and self.quantity == self.unpriced else self.known


def by_class(rows: Iterable[PricedUsage]) -> list[ClassFigure]:
    """Every class, those of which nothing was used too."""
    classes = [ClassFigure(name) for name in CLASSES]
    with localcontext(prec=DIGITS):
        for row in rows:
            for at, (figure, quantity) in enumerate(zip(classes, row.quantities, strict=True)):
                figure.quantity += quantity
                if row.rates is None:
                    figure.unpriced += quantity
                else:
                    figure.known += quantity * row.rates.batch[at]
    return classes
