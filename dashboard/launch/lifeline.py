"""Ends process groups: those of a supervisor that stops, or that was killed.

The supervisor starts `python -m dashboard.launch.lifeline` and writes a line to it whenever a
process starts or ends: the process groups that run now. The kernel closes the pipe when the
supervisor dies, however it dies, and the lifeline then ends what is left of the groups. This works
on Linux and macOS, and for processes that outlive the head of their group.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Collection

# Longer than any of the processes needs (dashboard/gunicorn.py); all have ended within 20 s.
GRACE_SECONDS = 18.0


def main() -> None:
    # Only the end of the pipe ends this process.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    groups: list[int] = []
    for line in sys.stdin:
        groups = [int(group) for group in line.split()]
    end_groups(groups, pause=wait_a_moment)


def wait_a_moment() -> bool:
    time.sleep(0.1)
    return False


def end_groups(groups: Collection[int], *, pause: Callable[[], bool]) -> None:
    """Sends SIGTERM to every process of the groups, and SIGKILL after GRACE_SECONDS.

    `pause` waits a moment and returns whether to send SIGKILL at once.
    """
    for group in groups:
        signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(map(is_group_running, groups)):
        if pause() or time.monotonic() > deadline:
            break
    for group in groups:
        signal_group(group, signal.SIGKILL)


def signal_group(group: int, signum: signal.Signals) -> None:
    """Signals every process of the group; does nothing when it has none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signum)


def is_group_running(group: int) -> bool:
    """Whether the group has a process left."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        # macOS answers "not permitted" for a group of which only zombies are left.
        return False
    return True


if __name__ == "__main__":
    main()
