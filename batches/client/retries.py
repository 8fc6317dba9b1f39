"""Deadlines for whole calls, and the pauses between attempts."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import httpx
import stamina

from batches.client.errors import ApiError, TryLater, Unreachable

# Like Anthropic's own SDK: half a second, doubling to eight, with jitter.
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 8.0

TIMEOUT = httpx.Timeout(connect=5, read=60, write=30, pool=10)


class Deadline:
    """The time by which a call must finish, including retries, pauses and reading."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; negative once the deadline has passed."""
        return self._ends_at - time.monotonic()

    def check(self) -> None:
        """Raises Unreachable once the deadline has passed."""
        if self.left() <= 0:
            raise Unreachable(f"the call did not finish within {self.seconds:g} s.")

    @contextmanager
    def bounding(self) -> Iterator[None]:
        """Within the block, `time_for` gives network operations at most the time left."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


# Network streams are shared between calls, so they look up the current call's deadline here.
_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def time_for(limit: float | None) -> float | None:
    """How many seconds the next network operation may take: `limit` or the time left.

    Zero or negative once the current call's deadline has passed.
    """
    deadline = _current.get()
    if deadline is None:
        return limit
    return deadline.left() if limit is None else min(limit, deadline.left())


@dataclass(slots=True)
class BackOff:
    """A hook for stamina that returns the seconds to wait before the next attempt, or False.

    A wait that the API requests takes precedence over the usual one. A wait that would outlast the
    deadline ends the attempts.
    """

    deadline: Deadline
    failures: int = 0

    def __call__(self, error: Exception) -> float | bool:
        if not isinstance(error, ApiError) or not error.is_transient:
            return False
        doubled = min(FIRST_WAIT_SECONDS * 2**self.failures, LONGEST_WAIT_SECONDS)
        self.failures += 1
        requested = error.retry_after if isinstance(error, TryLater) else None
        wait = requested if requested is not None else doubled * random.uniform(0.5, 1.0)
        return wait if wait < self.deadline.left() else False


def persist[T](call: Callable[[], T], deadline: Deadline, *, attempts: int) -> T:
    """The call's value after at most `attempts` attempts. Raises the last attempt's error."""
    keep_trying = stamina.RetryingCaller(attempts=attempts, timeout=None)
    return keep_trying(BackOff(deadline), call)
