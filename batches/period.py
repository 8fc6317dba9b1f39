"""Spans of whole UTC days."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self

DAY = timedelta(days=1)
LONGEST_MONTH = 31


@dataclass(frozen=True, slots=True)
class Period:
    """The UTC days from `since` to `until`, both included."""

    since: date
    until: date

    @classmethod
    def ending(cls, until: date, *, days: int) -> Self:
        """The `days` days up to and including `until`."""
        return cls(until - (days - 1) * DAY, until)

    def __len__(self) -> int:
        return (self.until - self.since).days + 1

    def __contains__(self, day: date) -> bool:
        return self.since <= day <= self.until

    @property
    def days(self) -> list[date]:
        return [self.since + n * DAY for n in range(len(self))]

    @property
    def is_month(self) -> bool:
        """Whether it is a whole calendar month."""
        return self.since.day == 1 and (self.until + DAY).day == 1 and len(self) <= LONGEST_MONTH

    @property
    def before(self) -> "Period":
        """The days right before: the month before a whole month, otherwise as many days."""
        days = (self.since - DAY).day if self.is_month else len(self)
        return Period.ending(self.since - DAY, days=days)


def start_of(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def end_of(day: date) -> datetime:
    """The first moment after a UTC day; for the last day of the calendar, its last moment."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return start_of(day + DAY)
