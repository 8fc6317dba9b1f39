"""Passwords are hashed one at a time, so that signing in never stalls the pages."""

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
    """Too many passwords are being hashed in this process; a few seconds later there is room."""


@contextmanager
def hashing_place() -> Iterator[None]:
    """Waits for the one place to hash in. Raises TooManySignIns where too many wait already."""
    if not _entered.acquire(blocking=False):
        raise TooManySignIns
    try:
        with _running:
            yield
    finally:
        _entered.release()


class PatientHasher(PBKDF2PasswordHasher):
    """Django's PBKDF2 with its work bounded. Stored hashes are the same as Django's.

    Every check of a password ends up in `encode`, also that of a name which doesn't exist.
    """

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with hashing_place():
            return super().encode(password, salt, iterations)
