"""Hashes one password at a time, so that many sign-ins at once don't slow the pages down."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import PBKDF2PasswordHasher

# In each web process. One hash takes a third of a second of a core.
MOST_AT_ONCE = 1
MOST_WAITING = 2

_running = threading.BoundedSemaphore(MOST_AT_ONCE)
_entered = threading.BoundedSemaphore(MOST_AT_ONCE + MOST_WAITING)


class TooManySignIns(Exception):
    """This process is hashing as many passwords as it may. Trying again in seconds can succeed."""


@contextmanager
def hashing_place() -> Iterator[None]:
    """Wait until this thread may hash. Raises TooManySignIns if too many are waiting."""
    if not _entered.acquire(blocking=False):
        raise TooManySignIns
    try:
        with _running:
            yield
    finally:
        _entered.release()


class BoundedHasher(PBKDF2PasswordHasher):
    """Django's PBKDF2, one at a time. The stored hashes are the same as Django's.

    Django also calls `encode` to check a password, even for a username that doesn't exist.
    """

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with hashing_place():
            return super().encode(password, salt, iterations)
