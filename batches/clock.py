"""The time that all processes agree on: the database's where it has a clock of its own."""

from datetime import datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.utils import timezone

# Less than this is the time that asking takes.
SMALLEST_DIFFERENCE = timedelta(seconds=1)
# A time that was written this far in the future was written by a clock that was wrong.
MARGIN = timedelta(seconds=5)

_ahead = timedelta(0)


def now() -> datetime:
    """The current time in UTC, by the database server's clock.

    Claims and due times are written by one machine and read by another, whose clocks may differ
    by minutes. SQLite is on this machine and has no other clock than ours.
    """
    return timezone.now() + _ahead


def is_future(at: datetime, now: datetime) -> bool:
    """Whether `at` can only have been written by a clock that was ahead."""
    return at > now + MARGIN


@receiver(connection_created)
def compare(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Measure how far the server is ahead, whenever a connection is opened."""
    global _ahead  # noqa: PLW0603
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        ahead = cursor.fetchone()[0] - timezone.now()
    _ahead = ahead if abs(ahead) > SMALLEST_DIFFERENCE else timedelta(0)
