"""The sandbox's own time: it can run faster than the world's."""

from collections.abc import Callable
from datetime import UTC, datetime

type Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Tell the machine's time, in UTC."""
    return datetime.now(UTC)


class SandboxClock:
    """Time that goes `speed` times as fast as `read` tells it, from the moment `since` on.

    `showing` is what the sandbox's clock showed at `since`. Without them both clocks start
    together, now. Raises ValueError for a speed that is not above zero.
    """

    def __init__(
        self,
        read: Clock = wall_clock,
        *,
        speed: float = 1.0,
        since: datetime | None = None,
        showing: datetime | None = None,
    ) -> None:
        if not 0 < speed <= 1_000_000:
            raise ValueError("The speed must lie above 0 and be at most 1,000,000.")
        self.read = read
        self.speed = speed
        self.since = since or read()
        self.showing = showing or self.since

    def now(self) -> datetime:
        """Tell the sandbox's time, in UTC."""
        passed = self.read() - self.since
        return (self.showing + passed * self.speed).astimezone(UTC)
