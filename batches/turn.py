"""What a worker lends to the code that does a row's work."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """By default nobody asks to stop, and nothing waits: for one piece of work on its own."""

    is_stopping: Callable[[], bool] = lambda: False
    # Waits so many seconds, or until the worker is told to end.
    wait: Callable[[float], object] = lambda _: None
    # Closes the thread's database connection, before a call that may hang for a minute.
    let_go: Callable[[], None] = lambda: None
