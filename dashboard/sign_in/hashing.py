"""Hashes one password at a time, so that many sign-ins at once don't slow the pages down."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import PBKDF2PasswordHasher

# One hash takes a core for a third of a second. These are for each web process.
MOST_AT_ONCE = 1
MOST_WAITING = 2

_running = threading.BoundedSemaphore(MOST_AT_ONCE)
_entered = threading.BoundedSemaphore(MOST_AT_ONCE + MOST_WAITING)


class TooManySignIns(Exception):
    """This process is hashing as many passwords as it may. The request can succeed in seconds."""


@contextmanager
def hashing_place() -> Iterator[None]:
    """Waits until this thread may hash. Raises TooManySignIns if too many wait already."""
    if not _entered.acquire(blocking=False):
        raise TooManySignIns
    try:
        with _running:
            yield
    finally:
        _entered.release()


class BoundedHasher(PBKDF2PasswordHasher):
    """Django's PBKDF2, a few at a time; the stored hashes are the same.

    Django checks passwords by `encode` too, also for a username that doesn't exist.
    """

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with hashing_place():
            return super().encode(password, salt, iterations)
