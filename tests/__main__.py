"""`python -m tests [pytest's arguments]`: every test on SQLite, the database's on PostgreSQL too.

The two passes run side by side, because much of the time is spent waiting for processes, a browser
or the sandbox. What the one on PostgreSQL prints is shown when the other one has ended.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests import chromium

# By file, so that what a file's tests share is prepared once (the order: tests/processes/conftest).
PYTEST = ["-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
# The others use no database or one of their own, and run on SQLite (see also tests/conftest.py).
WITH_DATABASE = "databases or not processes"
WITHOUT_DATABASE = [f"--ignore=tests/{name}" for name in ("browser", "client", "sandbox", "setup")]
NO_TESTS = 5
# How long a pass may take to end its processes after Ctrl-C.
GRACE_SECONDS = 30


def main(arguments: Sequence[str]) -> int:
    """The exit code: that of a pass that failed, otherwise 0."""
    browser = chromium.executable()
    print(f"Browser: {browser}" if browser else chromium.ADVICE)
    marked = "browser or not browser" if browser else "not browser"
    with tempfile.TemporaryDirectory(prefix="batchboard-tests-") as name:
        environ = os.environ | {"SHARED_BY_TESTS": name}
        output = Path(name) / "postgres.txt"
        with output.open("w") as written:
            on_postgres = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.postgres", sys.executable, *PYTEST),
                    *("-m", WITH_DATABASE, *WITHOUT_DATABASE, *arguments),
                ],
                env=environ,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        print("== SQLite", flush=True)
        on_sqlite = subprocess.Popen(
            [sys.executable, *PYTEST, "-m", marked, *arguments], env=environ
        )
        try:
            on_sqlite.wait()
            print("== PostgreSQL", flush=True)
            follow(on_postgres, output)
        finally:
            # After Ctrl-C, which the terminal sends to all of them.
            for each in (on_sqlite, on_postgres):
                end(each)
    codes = [on_sqlite.returncode, on_postgres.returncode]
    failed = [code for code in codes if code not in {0, NO_TESTS}]
    # The arguments may have chosen tests for only one of them.
    return failed[0] if failed else min(codes)


def follow(process: subprocess.Popen[bytes], output: Path) -> None:
    """Prints the output, from its beginning until the process ends."""
    with output.open() as text:
        is_over = False
        while not is_over:
            with suppress(subprocess.TimeoutExpired):
                is_over = process.wait(timeout=0.5) is not None
            print(text.read(), end="", flush=True)


def end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(timeout=GRACE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.terminate()
        process.wait()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
