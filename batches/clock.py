"""The time that all processes agree on: the database server's, if there is one."""

from datetime import datetime, timedelta
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.utils import timezone

# A smaller difference may just be the time that the query takes.
SMALLEST_DIFFERENCE = timedelta(seconds=1)
# A time further ahead than this was written by a clock that was wrong.
MARGIN = timedelta(seconds=5)

_ahead = timedelta(0)


def now() -> datetime:
    """The current time in UTC, by the database server's clock.

    One machine writes claims and due times and another reads them, and their clocks may differ by
    minutes. SQLite uses this machine's clock.
    """
    return timezone.now() + _ahead


def is_future(at: datetime, now: datetime) -> bool:
    """Whether `at` was written by a clock that was ahead."""
    return at > now + MARGIN


@receiver(connection_created)
def compare(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Measure how far the server's clock is ahead, whenever a connection is opened."""
    global _ahead  # noqa: PLW0603
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        ahead = cursor.fetchone()[0] - timezone.now()
    _ahead = ahead if abs(ahead) > SMALLEST_DIFFERENCE else timedelta(0)
