"""Runs the Procfile's processes on one machine (docs/decisions/own-supervisor.md).

A process that ends while they start is an error that ends all of them. Later, a process that ends
is started again, and the others keep running.
"""

import contextlib
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import IO, Self, TextIO

from dashboard.launch import lifeline
from dashboard.launch.lifeline import end_groups, signal_group

ROOT = Path(__file__).resolve().parents[2]
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
# After a run of this length, the pause before a restart is the first one again.
STABLE_SECONDS = 60.0
COLORS = ("36", "33", "32", "35")


class StopRequested(Exception):
    """Ctrl-C, SIGTERM, or the terminal was closed."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum


class ProcessEnded(Exception):
    """A process ended while starting. `str(error)` is fit to show a person."""


class Processes:
    """A context that leaves no process behind, whatever happens inside.

    Use it from the main thread, the only one that receives signals. If this process is killed, the
    lifeline ends the others.
    """

    def __init__(self, procfile: Path, environ: Mapping[str, str], output: TextIO) -> None:
        self.commands = commands_of(procfile)
        self.folder = procfile.parent
        self.environ = dict(environ)
        self.output = output
        self.is_starting = True
        self.stopping = threading.Event()
        # Held while a process starts or ends, so that none starts once all are to stop.
        self.lock = threading.Lock()
        self.printing = threading.Lock()
        # The process group that each running process heads.
        self.groups: dict[str, int] = {}
        self.last_lines: dict[str, str] = {}
        self.threads: list[threading.Thread] = []
        # A SimpleQueue, because a signal handler may put to it at any moment.
        self.events: queue.SimpleQueue[ProcessEnded | StopRequested] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self.lifeline = subprocess.Popen(
            [sys.executable, "-m", lifeline.__name__],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.old_handlers = {each: signal.signal(each, self._on_signal) for each in STOP_SIGNALS}
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._stop()
        finally:
            for each, handler in self.old_handlers.items():
                signal.signal(each, handler)

    def start(self, *names: str) -> None:
        """Starts the named processes, each with a thread that watches it."""
        self.threads += [in_thread(self._keep_running, name) for name in names]

    def wait_until(self, is_done: Callable[[], bool], *, seconds: float) -> bool:
        """Whether the condition came true in time.

        Raises ProcessEnded when a process ends meanwhile, StopRequested on a signal.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if is_done():
                return True
            with contextlib.suppress(queue.Empty):
                raise self.events.get(timeout=0.1)
        return False

    def wait(self) -> None:
        """Keeps the processes running. Raises StopRequested on a signal."""
        self.is_starting = False
        raise self.events.get()

    def print(self, name: str, text: str) -> None:
        """Prints a line after the time and the name of its process."""
        width = max(map(len, self.commands))
        prefix = f"{datetime.now().astimezone():%H:%M:%S} {name.ljust(width)} | "
        if self.output.isatty():
            color = COLORS[list(self.commands).index(name) % len(COLORS)]
            prefix = f"\033[{color}m{prefix}\033[0m"
        # A closed terminal must not stop the process that writes.
        with contextlib.suppress(OSError, ValueError), self.printing:
            print(prefix + text, file=self.output, flush=True)

    def _keep_running(self, name: str) -> None:
        pause = 0.0
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                ending = f"The {name} process {how_it_ended(self._run(name))}"
            except OSError as error:
                ending = f"The {name} process cannot be started ({error})"
            with self.lock:
                if self.stopping.is_set():
                    return
                if self.is_starting:
                    last_line = self.last_lines.get(name, "")
                    why = f" Its last line: {last_line}" if last_line else ""
                    self.events.put(ProcessEnded(f"{ending}, so Batchboard stopped.{why}"))
                    return
                # What the process left behind would hold its port or do its work twice.
                self._kill_group(name)
            pause = next_pause(pause, ran_seconds=time.monotonic() - began)
            self.print(name, f"{ending}. It starts again in {pause:g} s.")
            self.stopping.wait(pause)

    def _run(self, name: str) -> int:
        """Runs the process once and returns its exit code. Raises OSError."""
        with self.lock:
            if self.stopping.is_set():
                return 0
            process = subprocess.Popen(
                # The shell expands the variables. Without `exec` it would stay, and on Debian die
                # of a SIGTERM before the process has ended.
                ["/bin/sh", "-c", f"exec {self.commands[name]}"],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.groups[name] = process.pid
            self._update_lifeline()
        relay = in_thread(self._relay, name, process.stdout)
        code = process.wait()
        # A child that outlives the process may keep its output open.
        relay.join(timeout=1)
        return code

    def _relay(self, name: str, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                text = line.decode("utf-8", "replace").rstrip()
                if text.strip():
                    self.last_lines[name] = text.strip()[:300]
                self.print(name, text)

    def _kill_group(self, name: str) -> None:
        if group := self.groups.pop(name, None):
            signal_group(group, signal.SIGKILL)
            self._update_lifeline()

    def _update_lifeline(self) -> None:
        if self.lifeline.stdin:
            # Someone may have killed it. The processes go on without it.
            with contextlib.suppress(OSError):
                self.lifeline.stdin.write(f"{' '.join(map(str, self.groups.values()))}\n".encode())
                self.lifeline.stdin.flush()

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.events.put(StopRequested(signum))

    def _stop(self) -> None:
        """Ends all processes; kills those that take too long, or all on a second Ctrl-C."""
        with self.lock:
            self.stopping.set()
        began = time.monotonic()

        def pause() -> bool:
            with contextlib.suppress(queue.Empty):
                event = self.events.get(timeout=0.1)
                # One Ctrl-C can arrive twice within a moment: from the terminal and from make.
                is_ctrl_c = isinstance(event, StopRequested) and event.signum == signal.SIGINT
                return is_ctrl_c and time.monotonic() - began > 1
            return False

        end_groups(self.groups.values(), pause=pause)
        for thread in self.threads:
            # Not for ever: it may wait for a terminal whose output is paused.
            thread.join(timeout=2)
        # Last, and by force: the groups that it knows may soon belong to other programs.
        self.lifeline.kill()
        self.lifeline.communicate()


def commands_of(procfile: Path) -> dict[str, str]:
    """The Procfile's commands by name."""
    lines = re.findall(r"^([A-Za-z0-9_-]+):\s*(.+)$", procfile.read_text("utf-8"), re.MULTILINE)
    return dict(lines)


def how_it_ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended ({code})"


def next_pause(last: float, *, ran_seconds: float) -> float:
    """Seconds before a restart, after a run of this length; `last` is the pause before it."""
    if not last or ran_seconds >= STABLE_SECONDS:
        return FIRST_PAUSE_SECONDS
    return min(last * 2, LONGEST_PAUSE_SECONDS)


def in_thread(work: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread
