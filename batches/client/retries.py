"""How long to keep trying: a bound on the whole of a call, and the pauses inside it."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import stamina

from batches.client.errors import ApiError, TryLater, Unreachable

# As the vendor's own SDK waits: half a second, doubling to eight, with jitter.
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 8.0

TIMEOUT = httpx.Timeout(connect=5, read=60, write=30, pool=10)


class Deadline:
    """The moment by which a call must be over, tries, pauses and reading included."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends_at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; negative once it has passed."""
        return self._ends_at - time.monotonic()

    def check(self) -> None:
        """Raises Unreachable once the deadline has passed."""
        if self.left() <= 0:
            raise Unreachable(f"the call was not over within {self.seconds:g} s.")

    @contextmanager
    def bounding(self, request: httpx.Request) -> Iterator[None]:
        """Within the block no timeout of the request is longer than what is left.

        They shrink anew as each of its stages begins, and each holds for a single read: whoever
        takes the body must also `check`.
        """
        timeouts: dict[str, float] = request.extensions["timeout"]
        usual = dict(timeouts)

        def shrink(event: str, _details: dict[str, Any]) -> None:
            if event.endswith(".started"):
                left = max(self.left(), 0.001)
                timeouts.update({stage: min(limit, left) for stage, limit in timeouts.items()})

        shrink("call.started", {})
        request.extensions["trace"] = shrink
        try:
            yield
        finally:
            del request.extensions["trace"]
            timeouts.update(usual)


@dataclass(slots=True)
class BackOff:
    """Decides, as stamina's hook, about the next try: seconds to wait, or False to give up.

    The API's own wish goes before ours; what would outlast the deadline is not begun.
    """

    deadline: Deadline
    failures: int = 0

    def __call__(self, error: Exception) -> float | bool:
        if not isinstance(error, ApiError) or not error.is_transient:
            return False
        doubled = min(FIRST_WAIT_SECONDS * 2**self.failures, LONGEST_WAIT_SECONDS)
        self.failures += 1
        asked = error.retry_after if isinstance(error, TryLater) else None
        wait = asked if asked is not None else doubled * random.uniform(0.5, 1.0)
        return wait if wait < self.deadline.left() else False


def persist[T](call: Callable[[], T], deadline: Deadline, *, attempts: int) -> T:
    """The call's value, from at most so many tries. Raises the last try's error."""
    keep_trying = stamina.RetryingCaller(attempts=attempts, timeout=None)
    return keep_trying(BackOff(deadline), call)
