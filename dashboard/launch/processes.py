"""The Procfile's processes as one: they start together and end together.

While they start, one that ends is an error that ends all of them. Later, one that ends is started
again, and the others keep running.
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
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self, TextIO

from dashboard.launch import lifeline
from dashboard.launch.groups import end_groups, signal_group
from dashboard.launch.output import Output

ROOT = Path(__file__).resolve().parents[2]
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Longer than any of the processes needs (dashboard/gunicorn.py); all are gone within 20 s.
GRACE_SECONDS = 18.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
# A process that ran for so long was well: its next end is the first one again.
WELL_AFTER_SECONDS = 60.0


class StopAsked(Exception):
    """Ctrl-C, SIGTERM, or the terminal was closed."""


class ProcessEnded(Exception):
    """A process ended while starting. `str(error)` is fit to show a person."""

    def __init__(self, name: str, code: int, last_line: str) -> None:
        why = f" Its last line: {last_line}" if last_line else ""
        super().__init__(f"The {name} process {how_it_ended(code)}, so Batchboard stopped.{why}")


def how_it_ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended ({code})"


def commands_of(procfile: Path) -> dict[str, str]:
    """The Procfile's commands by name."""
    lines = re.findall(r"^([A-Za-z0-9_-]+):\s*(.+)$", procfile.read_text("utf-8"), re.MULTILINE)
    return dict(lines)


@dataclass
class Running:
    """One run of a process, which heads a process group of its own."""

    process: subprocess.Popen[bytes]
    started_at: float
    relay: threading.Thread | None = None
    last_line: str = ""


class Processes:
    """A context: leaving it leaves no process behind, whatever happened inside.

    To be used from the main thread, which alone receives signals. If this process is killed, the
    lifeline ends the others.
    """

    def __init__(self, procfile: Path, environ: Mapping[str, str], output: TextIO) -> None:
        self.commands = commands_of(procfile)
        self.folder = procfile.parent
        self.environ = dict(environ)
        self.output = Output(output, self.commands)
        self.running: dict[str, Running] = {}
        self.pauses: dict[str, float] = {}
        self.restarts_at: dict[str, float] = {}
        # The names of processes that ended, and the signals that ask to stop. A SimpleQueue,
        # because a signal's handler may put to it at any moment.
        self.events: queue.SimpleQueue[str | int] = queue.SimpleQueue()

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._stop()
        finally:
            for each, handler in self.old_handlers.items():
                signal.signal(each, handler)

    def start(self, *names: str) -> None:
        """Starts the named processes."""
        for name in names:
            process = subprocess.Popen(
                # The shell expands the variables; without `exec` it would stay, and on Debian die
                # of a SIGTERM before the process has ended.
                ["/bin/sh", "-c", f"exec {self.commands[name]}"],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._tell_lifeline("+", process.pid)
            run = self.running[name] = Running(process, time.monotonic())
            run.relay = in_thread(self._relay, name, run)
            in_thread(self._watch, name, process)

    def wait_until(self, is_done: Callable[[], bool], *, seconds: float) -> bool:
        """Whether the condition came true in time.

        Raises ProcessEnded when a process ends meanwhile, StopAsked on a signal.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if is_done():
                return True
            if name := self._ended(timeout=0.1):
                run = self.running[name]
                raise ProcessEnded(name, run.process.returncode, run.last_line)
        return False

    def wait(self) -> None:
        """Never returns: starts each process that ends again, and raises StopAsked on a signal."""
        while True:
            due = min(self.restarts_at.values(), default=None)
            if name := self._ended(None if due is None else max(0.0, due - time.monotonic())):
                self._plan_restart(name)
            for name in [*self.restarts_at]:
                if self.restarts_at[name] <= time.monotonic():
                    self._restart(name)

    def _ended(self, timeout: float | None) -> str | None:
        """The name of the next process that ended, once all it said is printed; None in time.

        Raises StopAsked on a signal.
        """
        try:
            event = self.events.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(event, int):
            raise StopAsked
        run = self.running[event]
        if run.relay:
            run.relay.join(timeout=1)
        return event

    def _plan_restart(self, name: str) -> None:
        run = self.running[name]
        # What the process has left behind would hold its port or do its work twice.
        signal_group(run.process.pid, signal.SIGKILL)
        self._tell_lifeline("-", run.process.pid)
        was_well = time.monotonic() - run.started_at >= WELL_AFTER_SECONDS
        before = 0.0 if was_well else self.pauses.get(name, 0.0)
        pause = min(max(FIRST_PAUSE_SECONDS, before * 2), LONGEST_PAUSE_SECONDS)
        self.pauses[name] = pause
        self.restarts_at[name] = time.monotonic() + pause
        how = how_it_ended(run.process.returncode)
        self.output.line(name, f"The {name} process {how}. It starts again in {pause:g} s.")

    def _restart(self, name: str) -> None:
        try:
            self.start(name)
        except OSError as error:
            self.restarts_at[name] = time.monotonic() + LONGEST_PAUSE_SECONDS
            self.output.line(name, f"The {name} process cannot be started: {error}")
        else:
            del self.restarts_at[name]

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.events.put(signum)

    def _relay(self, name: str, run: Running) -> None:
        if run.process.stdout is None:
            return
        with run.process.stdout as stdout:
            for line in stdout:
                text = line.decode("utf-8", "replace").rstrip()
                run.last_line = text.strip()[:300] or run.last_line
                self.output.line(name, text)

    def _watch(self, name: str, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self.events.put(name)

    def _tell_lifeline(self, sign: str, group: int) -> None:
        if self.lifeline.stdin:
            # Somebody may have killed it. The processes go on without.
            with contextlib.suppress(OSError):
                self.lifeline.stdin.write(f"{sign}{group}\n".encode())
                self.lifeline.stdin.flush()

    def _stop(self) -> None:
        """Asks all to end; kills what has not ended in time, or on a second Ctrl-C."""
        began = time.monotonic()

        def pause() -> bool:
            with contextlib.suppress(queue.Empty):
                # One Ctrl-C can arrive twice within a moment: from the terminal and from make.
                is_ctrl_c = self.events.get(timeout=0.1) == signal.SIGINT
                return is_ctrl_c and time.monotonic() - began > 1
            return False

        groups = [
            run.process.pid for name, run in self.running.items() if name not in self.restarts_at
        ]
        end_groups(groups, seconds=GRACE_SECONDS, pause=pause)
        for run in self.running.values():
            run.process.wait()
            if run.relay:
                run.relay.join(timeout=1)
        # Last, and by force: the numbers it knows may soon belong to other programs.
        self.lifeline.kill()
        self.lifeline.communicate()


def in_thread(work: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread
