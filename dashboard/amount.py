"""Figures that were rounded so that they add up, and their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard.rounding import apportioned, nearest
from dashboard.words import shown_percent, shown_usd

TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Amount:
    """US dollars as they are, None where they are unknown, and as they are shown."""

    exact: Decimal | None
    shown: Decimal

    def __str__(self) -> str:
        return shown_usd(self.shown, self.exact)

    def __add__(self, other: "Amount") -> "Amount":
        known = [amount for amount in (self.exact, other.exact) if amount is not None]
        return Amount(sum(known, Decimal(0)) if known else None, self.shown + other.shown)


def shares(parts: Sequence[Decimal], whole: Decimal) -> list[str]:
    """Each part in percent of the whole, such as "62.3%"; what is shown adds up as well.

    Empty texts where the whole is nothing.
    """
    if not whole:
        return [""] * len(parts)
    percents = [100 * part / whole for part in parts]
    shown = apportioned(percents, nearest(sum(percents, Decimal(0)), TENTH), TENTH)
    return [shown_percent(*pair) for pair in zip(shown, percents, strict=True)]
