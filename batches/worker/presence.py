"""The worker's row: it says that the process lives, and lets a successor clear up after it."""

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
    """One worker process, as others see it."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.kinds = f",{','.join(kinds)},"

    def begin(self) -> None:
        """Write the row, and free what a dead worker of this machine still holds."""
        now = clock.now()
        self.beat(now)
        for process in WorkerProcess.objects.filter(place=place(), ended_at=None):
            if process.name != self.name and is_dead(process):
                log.warning("cleared up after a worker", worker=process.name, pid=process.pid)
                clear_up(process.name, now)

    def beat(self, now: datetime) -> None:
        """Say that the process lives."""
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
        """Give back all that is still held, and say that the process has ended."""
        clear_up(self.name, clock.now())


def clear_up(name: str, now: datetime) -> None:
    """Free the rows that a worker held, and mark it as ended."""
    for model in Claimable.__subclasses__():
        model.objects.release(name, now)  # type: ignore[attr-defined]
    WorkerProcess.objects.filter(pk=name).update(ended_at=now)


def is_dead(process: WorkerProcess) -> bool:
    """Whether a process of this place has ended: its number is free, or another's by now."""
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
    """Where process numbers mean the same: the machine, since it was booted, and the container."""
    parts = [socket.gethostname()]
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            entry = Path(path)
            is_link = entry.is_symlink()
            parts.append(str(entry.readlink()) if is_link else entry.read_text().strip())
        except OSError:
            # Not Linux: the host's name has to do.
            continue
    return " ".join(parts)[:200]


def started(pid: int) -> str:
    """When a process began, in ticks since the machine's start (proc(5)); empty if not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19] if len(fields) > 19 else ""
