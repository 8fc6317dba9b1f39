"""The sandbox's own time, which can run faster than real time."""

from collections.abc import Callable
from datetime import UTC, datetime

type Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


class SandboxClock:
    """A clock that runs `speed` times as fast as `read`, starting at `since`.

    `showing` is what this clock showed at `since`. By default both clocks start together, now.
    Raises ValueError for a speed that is not above zero.
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
            raise ValueError("The speed must be above 0 and at most 1,000,000.")
        self.read = read
        self.speed = speed
        self.since = since or read()
        self.showing = showing or self.since

    def now(self) -> datetime:
        """The sandbox's time, in UTC."""
        passed = self.read() - self.since
        return (self.showing + passed * self.speed).astimezone(UTC)
