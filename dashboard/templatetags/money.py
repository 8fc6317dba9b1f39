"""How US dollars, tokens and changes are written."""

from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma

register = template.Library()

CENT = Decimal("0.01")
MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"
UNKNOWN = "unknown"


@register.filter
def usd(amount: Decimal | None) -> str:
    """Such as "$1,234.56" or "$0.0012"; "unknown" for None, which is never "$0.00".

    Rounded to the cent, half a cent up; what is less than a cent to two significant digits.
    """
    if amount is None:
        return UNKNOWN
    size = abs(amount)
    if 0 < size < CENT:
        rounded = _rounded(size, Decimal(1).scaleb(size.adjusted() - 1))
        # What rounds up to a cent is written as one, "$0.01" and not "$0.010".
        return _signed(amount, f"{min(CENT, rounded):f}")
    return _signed(amount, f"{_rounded(size, CENT):,f}")


@register.filter
def exact_usd(amount: Decimal | None) -> str:
    """The amount as it is: nothing rounded, no trailing zeros but those of whole cents."""
    if amount is None:
        return UNKNOWN
    whole, _, rest = f"{abs(amount):,f}".partition(".")
    return _signed(amount, f"{whole}.{rest.rstrip('0').ljust(2, '0')}")


@register.filter
def tokens(count: int) -> str:
    """The full figure, such as "1,234,567"."""
    return str(intcomma(count))


@register.filter
def percent_change(amount: Decimal | None, before: Decimal | None) -> str:
    """Such as "+12.3 %"; "new" when there was nothing before to compare with."""
    if amount is None or before is None:
        return UNKNOWN
    if amount == before:
        return "no change"
    if not before:
        return "new"
    percent = (amount - before) / before * 100
    return f"{MINUS if percent < 0 else '+'}{_rounded(abs(percent), Decimal('0.1')):,f}{SPACE}%"


def _rounded(size: Decimal, unit: Decimal) -> Decimal:
    return size.quantize(unit, ROUND_HALF_UP)


def _signed(amount: Decimal, figures: str) -> str:
    return f"{MINUS if amount < 0 else ''}${figures}"
