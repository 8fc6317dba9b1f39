"""The rate limit of the batch endpoints: one token bucket for the whole organization."""

import threading
from datetime import datetime, timedelta

from batches.sandbox.clock import Clock
from batches.sandbox.refusals import RefusalError


class Throttle:
    """Allows this many calls a minute in real time, at any clock speed. Thread-safe."""

    def __init__(self, calls_a_minute: int, clock: Clock) -> None:
        self.limit = calls_a_minute
        self._clock = clock
        self._tokens = float(calls_a_minute)
        self._filled_at = clock()
        self._lock = threading.Lock()

    def take(self) -> dict[str, str]:
        """Count one call and return the rate headers. Raises RefusalError (429) above the limit."""
        with self._lock:
            now = self._clock()
            a_second = self.limit / 60
            passed = max(0.0, (now - self._filled_at).total_seconds())
            self._tokens = min(float(self.limit), self._tokens + passed * a_second)
            self._filled_at = now
            allowed = self._tokens >= 1
            if allowed:
                self._tokens -= 1
            headers = self._headers(now, a_second)
            wait = (1 - self._tokens) / a_second
        if not allowed:
            raise RefusalError(
                429,
                "Number of requests has exceeded your rate limit.",
                headers={**headers, "retry-after": str(int(wait) + 1)},
            )
        return headers

    def _headers(self, now: datetime, a_second: float) -> dict[str, str]:
        full_at = now + timedelta(seconds=(self.limit - self._tokens) / a_second)
        return {
            "anthropic-ratelimit-requests-limit": str(self.limit),
            "anthropic-ratelimit-requests-remaining": str(int(self._tokens)),
            "anthropic-ratelimit-requests-reset": full_at.isoformat(timespec="seconds"),
        }
