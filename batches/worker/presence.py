"""The worker's row: it shows that the process runs, and lets another worker release its rows."""

import os
import socket
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import structlog

from batches import clock
from batches.models import Claimable, WorkerProcess

log = structlog.get_logger(__name__)


class Presence:
    """The row of one worker process."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.kinds = f",{','.join(kinds)},"

    def begin(self) -> None:
        """Create the row, and release the rows of workers on this machine that died."""
        now = clock.now()
        self.beat(now)
        for process in WorkerProcess.objects.filter(place=place(), ended_at=None):
            if process.name != self.name and is_dead(process):
                log.warning("released rows of a dead worker", worker=process.name, pid=process.pid)
                release_all(process.name, now)

    def beat(self, now: datetime) -> None:
        """Record that the process runs."""
        if not WorkerProcess.objects.filter(pk=self.name).update(seen_at=now):
            WorkerProcess.objects.create(
                name=self.name,
                place=place(),
                pid=os.getpid(),
                process_started=started(os.getpid()),
                kinds=self.kinds,
                started_at=now,
                seen_at=now,
            )

    def end(self) -> None:
        """Release all rows that are still claimed, and record that the process has ended."""
        release_all(self.name, clock.now())


def release_all(name: str, now: datetime) -> None:
    """Release the rows that a worker claimed, and mark it as ended."""
    for model in Claimable.__subclasses__():
        model.objects.release(name, now)  # type: ignore[attr-defined]
    WorkerProcess.objects.filter(pk=name).update(ended_at=now)


def is_dead(process: WorkerProcess) -> bool:
    """Whether a process of this place has ended: its ID is free, or now another process's."""
    if process.pid == os.getpid():
        return True
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return bool(process.process_started) and started(process.pid) != process.process_started


def place() -> str:
    """Where process IDs are valid: the machine, since it was booted, and the container."""
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            entry = Path(path)
            is_link = entry.is_symlink()
            parts.append(str(entry.readlink()) if is_link else entry.read_text().strip())
        except OSError:
            # Not Linux: the host name has to be enough.
            continue
    return " ".join(parts)[:200]


def started(pid: int) -> str:
    """When a process started, in ticks since the machine's boot (proc(5)); empty if unknown."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19] if len(fields) > 19 else ""
