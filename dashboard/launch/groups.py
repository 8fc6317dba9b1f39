"""Process groups: signaling them, and ending them for good."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable


def signal_group(group: int, signum: signal.Signals) -> None:
    """Signals every process of the group; does nothing when it has none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signum)


def is_running(group: int) -> bool:
    """Whether the group has a process left."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        # macOS answers "not permitted" for a group of which only zombies are left.
        return False
    return True


def end_groups(groups: Iterable[int], *, seconds: float, pause: Callable[[], bool]) -> None:
    """Asks every process of the groups to end, and kills those that have not after `seconds`.

    `pause` waits a moment and returns whether to kill at once.
    """
    groups = list(groups)
    for group in groups:
        signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(map(is_running, groups)):
        if pause() or time.monotonic() > deadline:
            break
    for group in groups:
        signal_group(group, signal.SIGKILL)
