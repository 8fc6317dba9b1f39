"""Rounded amounts and percentages that add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard.rounding import apportioned, nearest
from dashboard.words import shown_percent, shown_usd

TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Amount:
    """US dollars, exact (None if unknown) and rounded for display."""

    exact: Decimal | None
    shown: Decimal

    def __str__(self) -> str:
        return shown_usd(self.shown, self.exact)

    def __add__(self, other: "Amount") -> "Amount":
        known = [amount for amount in (self.exact, other.exact) if amount is not None]
        return Amount(sum(known, Decimal(0)) if known else None, self.shown + other.shown)


def shares(parts: Sequence[Decimal], whole: Decimal) -> list[str]:
    """Each part as a percentage of the whole, such as "62.3%", rounded so that they add up.

    Empty strings if the whole is zero.
    """
    if not whole:
        return [""] * len(parts)
    percents = [100 * part / whole for part in parts]
    shown = apportioned(percents, nearest(sum(percents, Decimal(0)), TENTH), TENTH)
    return [shown_percent(*pair) for pair in zip(shown, percents, strict=True)]
