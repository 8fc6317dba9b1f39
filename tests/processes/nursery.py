"""Runs Python's command lines in forks of a process that has loaded Django already.

`python -m tests.processes.nursery`: each line on standard input is JSON, the arguments that follow
`python` and the log file. A fork in a session of its own runs them and prints its process ID.
Forking costs a tenth of what starting Python and importing Django does. How the programs start
by themselves is tested in `tests/setup`.
"""

import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from pathlib import Path

import django
import psutil

ROOT = Path(__file__).resolve().parents[2]


class Nursery:
    """Starts processes that all have the same environment."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.nursery"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._starting = threading.Lock()

    def start(self, arguments: list[str], log: Path) -> psutil.Process:
        """Starts `python` with these arguments; what it prints is appended to the log."""
        with self._starting:
            print(json.dumps([arguments, str(log)]), file=self._process.stdin, flush=True)
            return psutil.Process(int(self._process.stdout.readline()))

    def close(self) -> None:
        """Starts no more processes. Those that run go on."""
        with self._process:
            self._process.stdin.close()


def main() -> None:
    load()
    # The kernel then removes ended processes at once, as init does for those of a service.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        arguments, log = json.loads(line)
        if not os.fork():
            become(arguments, log)


def load() -> None:
    """Import what the processes need, without connecting to anything."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    django.setup()
    for name in (
        "batches.sandbox",
        "batches.worker.loop",
        "dashboard.urls",
        "gunicorn.app.wsgiapp",
    ):
        __import__(name)
    gc.freeze()


def become(arguments: list[str], log: str) -> None:
    """Run the program as `python` would. Never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A group of its own, so that gunicorn's workers are killed with their master.
    os.setsid()
    print(os.getpid(), flush=True)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    empty = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((empty, 0), (written, 1), (written, 2)):
        os.dup2(ours, theirs)
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    main()
