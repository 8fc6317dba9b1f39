"""Durations, counts, percentages and amounts in US dollars, as pages and files write them."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
TENTH = Decimal("0.1")
# US dollars. A percentage of less says nothing.
LEAST_COMPARED = 1
MINUS = "\N{MINUS SIGN}"
UNKNOWN = "unknown"
# Smaller amounts need more than six decimals.
SIX_DECIMALS = Decimal("0.000001")


def usd(amount: Decimal | None) -> str:
    """Such as "$1,234.56" or "$0.0012"; "unknown" for None.

    Rounded to the cent, halves away from zero; below a cent to two significant digits.
    """
    if amount is None:
        return UNKNOWN
    return _signed(amount, f"{abs(_to_read(amount)):,f}")


def usd_range(low: Decimal, high: Decimal) -> str:
    """An estimate's two ends, without cents from ten dollars on; one amount if they look alike."""
    first, last = (
        usd(each) if each < 10 else f"${_rounded(each, Decimal(1)):,f}" for each in (low, high)
    )
    return first if first == last else f"{first}–{last.removeprefix('$')}"


def less(amount: Decimal, other: Decimal) -> str:
    """The difference of two amounts as `usd` shows them; the exact one if they look the same."""
    return usd((_to_read(amount) - _to_read(other)) or amount - other)


def exact_usd(amount: Decimal | None) -> str:
    """The exact amount, with at least two decimals and no further trailing zeros."""
    if amount is None:
        return UNKNOWN
    whole, _, rest = f"{abs(amount):,f}".partition(".")
    return _signed(amount, f"{whole}.{rest.rstrip('0').ljust(2, '0')}")


def tokens(count: int) -> str:
    """All digits, such as "1,234,567"."""
    return f"{count:,}"


def percent_change(amount: Decimal, before: Decimal) -> str:
    """Such as "+3.1%" or "+1,098%". `before` is above zero."""
    if amount == before:
        return "unchanged"
    percent = (amount - before) / before * 100
    size = percent_size(percent)
    if size.startswith("less"):
        return f"changed by {size}"
    return f"{MINUS if percent < 0 else '+'}{size}"


def percent_size(percent: Decimal) -> str:
    """Such as "3.1%" or "1,098%", without a sign: a decimal only up to 10%."""
    size = abs(percent)
    if size < TENTH:
        return "less than 0.1%"
    tenths = _rounded(size, TENTH)
    return f"{tenths if tenths < 10 else _rounded(size, Decimal(1)):,f}%"


def plain_usd(amount: Decimal) -> str:
    """Such as "12.34" or "0.001234": two to six decimals, more if they would all be zero."""
    size = abs(amount)
    places = 6 if not size or size >= SIX_DECIMALS else 1 - size.adjusted()
    whole, _, rest = f"{amount:.{places}f}".partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def shown_usd(shown: Decimal, exact: Decimal | None) -> str:
    """A rounded amount, with its own number of decimals; "unknown" if the exact one is None.

    Only an exact zero is "$0.00"; any other amount that is rounded to zero is "<$0.01".
    """
    if exact is None:
        return UNKNOWN
    if exact and not shown:
        return f"<${_smallest(shown):f}"
    return _signed(shown, f"{abs(shown):,f}")


def shown_percent(shown: Decimal, exact: Decimal) -> str:
    """A rounded percentage, such as "62.3%"; "<0.1%" for one that is rounded to zero."""
    return f"<{_smallest(shown):f}%" if exact and not shown else f"{shown:f}%"


def _smallest(rounded: Decimal) -> Decimal:
    """A one in its last decimal place."""
    return Decimal(1).scaleb(int(rounded.as_tuple().exponent))


def _to_read(amount: Decimal) -> Decimal:
    size = abs(amount)
    if not 0 < size < CENT:
        return _rounded(amount, CENT)
    rounded = _rounded(size, Decimal(1).scaleb(size.adjusted() - 1))
    # An amount that rounds up to a cent is "$0.01", not "$0.010".
    return min(CENT, rounded).copy_sign(amount)


def _rounded(size: Decimal, unit: Decimal) -> Decimal:
    return size.quantize(unit, ROUND_HALF_UP)


def _signed(amount: Decimal, figures: str) -> str:
    return f"{MINUS if amount < 0 else ''}${figures}"


def plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def duration(seconds: float) -> str:
    """Two units at most, such as "41 s", "12 min", "3 h 05 min", "2 d 4 h"; "0 s" if negative."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 3600:
        return f"{minutes} min"
    if whole < 86400:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{days} d {hours % 24} h"
