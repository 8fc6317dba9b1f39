"""What a worker passes to the code that does a row's work."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """Lets work stop early, pause and release its connection. By default it does none of these."""

    is_stopping: Callable[[], bool] = lambda: False
    # Waits the given seconds, or until the worker is asked to stop.
    wait: Callable[[float], object] = lambda _: None
    # Closes the thread's database connection, before a call that may take a minute.
    let_go: Callable[[], None] = lambda: None
