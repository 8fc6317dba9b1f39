"""Calendar months in UTC, as addresses name them."""

import calendar
import re
from datetime import date

from batches.period import Period

# Message Batches did not exist before.
EARLIEST = date(2024, 1, 1)
MONTH = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])")


class UnknownMonth(ValueError):
    """A text that names no month with batches. `str(error)` is fit to show a person."""


def read_month(given: str, today: date) -> Period:
    """The whole month that a text such as "2026-11" names. Raises UnknownMonth."""
    if not MONTH.fullmatch(given):
        raise UnknownMonth(f"Month: “{given[:40]}” is not a month such as 2026-11.")
    first = date.fromisoformat(f"{given}-01")
    if first > today:
        raise UnknownMonth(f"Month: {given} is in the future.")
    if first < EARLIEST:
        raise UnknownMonth(f"Month: {given} is before there were any batches.")
    return month_of(first)


def month_of(day: date) -> Period:
    """The whole month."""
    _, length = calendar.monthrange(day.year, day.month)
    return Period(day.replace(day=1), day.replace(day=length))


def so_far(month: Period, today: date) -> Period:
    """The month's days up to today."""
    return Period(month.since, min(month.until, today))


def months_between(first: date, last: date) -> list[Period]:
    """Every month from one day's to another's, newest first."""
    months = [month_of(last)]
    while months[-1].since > first:
        months.append(months[-1].before)
    return months


def month_key(month: Period) -> str:
    """As addresses write it."""
    return f"{month.since:%Y-%m}"


def month_words(month: Period) -> str:
    """Such as "November 2026"."""
    return f"{month.since:%B %Y}"
