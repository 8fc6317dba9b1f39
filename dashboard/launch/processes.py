"""The Procfile's processes as one: they start together, and when one ends all end.

honcho reads the Procfile and prints the lines. Its own loop is not used: it starts all at once
(the mirror must find the sandbox answering) and leaves processes behind when a terminal closes.
"""

import contextlib
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self, TextIO

from honcho.environ import parse_procfile
from honcho.printer import Message, Printer

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Longer than gunicorn's graceful time-out (dashboard/gunicorn.py).
GRACE_SECONDS = 8
COLOURS = ("36", "33", "32", "35")


class StopAsked(Exception):
    """Ctrl-C, SIGTERM, or the terminal was closed."""


class ProcessEnded(Exception):
    """A process ended that should not have. Fit to show a person."""

    def __init__(self, name: str, code: int, last_line: str) -> None:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended ({code})"
        why = f" The last it said: {last_line}" if last_line else ""
        super().__init__(f"The {name} process {how}, so all have been ended.{why}")


class Processes:
    """A context: leaving it leaves no process behind, whatever happened inside.

    To be used from the main thread, which alone receives signals.
    """

    def __init__(self, procfile: Path, environ: Mapping[str, str], output: TextIO) -> None:
        self.commands: dict[str, str] = parse_procfile(procfile.read_text("utf-8")).processes
        self.folder = procfile.parent
        self.environ = dict(environ)
        self.printer = Printer(output, width=max(map(len, self.commands)))
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.relays: dict[str, threading.Thread] = {}
        self.last_lines: dict[str, str] = {}
        self.printing = threading.Lock()
        # The names of processes that ended, and the signals that ask to stop. A SimpleQueue, as a
        # signal's handler may put to it at any moment.
        self.events: queue.SimpleQueue[str | int] = queue.SimpleQueue()

    def __enter__(self) -> Self:
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
        """Starts the named processes, each the head of a group of its own."""
        for name in names:
            process = subprocess.Popen(
                self.commands[name],
                shell=True,
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.running[name] = process
            self.relays[name] = self._in_thread(self._relay, name, process)
            self._in_thread(self._watch, name, process)

    def wait_until(self, is_done: Callable[[], bool], *, seconds: float) -> bool:
        """Whether the condition came true in time.

        Raises ProcessEnded when a process ends meanwhile, StopAsked on a signal.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if is_done():
                return True
            with contextlib.suppress(queue.Empty):
                self._raise_for(self.events.get(timeout=0.1))
        return False

    def wait(self) -> None:
        """Never returns: raises ProcessEnded or StopAsked when one comes."""
        while True:
            self._raise_for(self.events.get())

    def _raise_for(self, event: str | int) -> None:
        if isinstance(event, int):
            raise StopAsked
        # What it said last may still be on its way through the pipe.
        self.relays[event].join(timeout=1)
        raise ProcessEnded(event, self.running[event].returncode, self.last_lines.get(event, ""))

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.events.put(signum)

    def _in_thread(self, work: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=args, daemon=True)
        thread.start()
        return thread

    def _relay(self, name: str, process: subprocess.Popen[bytes]) -> None:
        stdout = process.stdout
        if stdout is None:
            return
        colour = COLOURS[list(self.commands).index(name) % len(COLOURS)]
        with stdout:
            for line in stdout:
                self.last_lines[name] = line.decode("utf-8", "replace").strip()[:300]
                message = Message("line", line, datetime.now().astimezone(), name, colour)
                # Output that nobody reads any more must not hold up the process that writes it.
                with contextlib.suppress(OSError, ValueError), self.printing:
                    self.printer.write(message)

    def _watch(self, name: str, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self.events.put(name)

    def _stop(self) -> None:
        """Asks all to end; kills what has not ended in time, or on a second Ctrl-C."""
        self._signal_groups(signal.SIGTERM)
        began = time.monotonic()
        while any(process.poll() is None for process in self.running.values()):
            passed = time.monotonic() - began
            with contextlib.suppress(queue.Empty):
                # One Ctrl-C can arrive twice within a moment: from the terminal and from make.
                if self.events.get(timeout=0.1) == signal.SIGINT and passed > 1:
                    break
            if passed > GRACE_SECONDS:
                break
        # Also where the head has ended: one that died may have left its children.
        self._signal_groups(signal.SIGKILL)
        for process in self.running.values():
            process.wait()
        for relay in self.relays.values():
            relay.join(timeout=1)

    def _signal_groups(self, signum: signal.Signals) -> None:
        for process in self.running.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signum)
