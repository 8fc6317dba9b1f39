"""Ends the processes of a supervisor that died without a chance to end them itself.

`python -m dashboard.launch.lifeline` reads from the supervisor `+GROUP` for each process group
that starts and `-GROUP` for each that ended. The kernel closes the pipe when the supervisor dies,
however it dies; what is then left of the groups is ended. This works on Linux and macOS alike,
and for children that outlive the head of their group.
"""

import signal
import sys
import time
from collections.abc import Iterable

from dashboard.launch.groups import end_groups

GRACE_SECONDS = 18


def main() -> None:
    # Only the end of the pipe ends this process.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    end_groups(groups_left(sys.stdin), seconds=GRACE_SECONDS, pause=pause)


def groups_left(lines: Iterable[str]) -> set[int]:
    """The groups that started and did not end, once the lines end."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    return groups


def pause() -> bool:
    time.sleep(0.1)
    return False


if __name__ == "__main__":
    main()
