"""Puts a lock file's packages into .venv. Standard library only: nothing is installed yet."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "batchboard.json"
RUNTIME = "requirements.txt"
OLDEST = (3, 12)
# What pip says on any line when it cannot reach a package index.
UNREACHABLE = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Network is unreachable",
)


class InstallFailed(Exception):
    """Fit to show a person."""


def main(arguments: list[str]) -> int:
    """Exit code: 0 when .venv holds the lock's packages, 1 when it does not."""
    if arguments[0] == "--check":
        return 0 if is_installed(arguments[1]) else 1
    with Path(__file__).open() as turn:
        # Two terminals may start at once: one installs, the other waits and finds it done.
        fcntl.flock(turn, fcntl.LOCK_EX)
        try:
            if not is_installed(arguments[0]):
                install(arguments[0])
        except InstallFailed as error:
            print(error, file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted. The next start takes it up again.", file=sys.stderr)
            return 130
    return 0


def is_installed(lock: str) -> bool:
    """Whether the stamp names this very lock, and .venv is whole and where it was made."""
    stamp = read_stamp()
    return stamp.get("locks", {}).get(lock) == digest(lock) and is_usable(stamp)


def install(lock: str) -> None:
    """Raises InstallFailed with one sentence that says what to do."""
    started = time.monotonic()
    print(f"Python {platform.python_version()} found: {sys.executable}", flush=True)
    if not is_usable(read_stamp()):
        make_venv()
    # A newer lock may replace packages that another one had put there.
    write_stamp(python=version_inside())
    run_pip(lock)
    # The development lock holds the runtime's pins too: tests/setup keeps it so.
    write_stamp(python=version_inside(), locks=[RUNTIME, lock])
    print(f"Ready after {time.monotonic() - started:.0f} s.", flush=True)


def is_usable(stamp: dict[str, Any]) -> bool:
    """Whether .venv is whole, in the place and of the Python version it was made for.

    One without a stamp is somebody's own: it is kept when it works.
    """
    version = version_inside()
    if not STAMP.exists():
        return bool(version) and tuple(map(int, version.split(".")[:2])) >= OLDEST
    return bool(version) and stamp.get("venv") == str(VENV) and stamp.get("python") == version


def version_inside() -> str:
    """The version of .venv's Python, such as "3.13.0"; empty when it does not run or has no pip."""
    try:
        answer = subprocess.run(
            [PYTHON, "-I", "-c", "import pip, sys; print('%d.%d.%d' % sys.version_info[:3])"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return answer.stdout.strip()


def make_venv() -> None:
    """Raises InstallFailed when the folder cannot be written or the Python lacks a part."""
    print("Making .venv …", flush=True)
    try:
        if VENV.is_symlink():
            VENV.unlink()
        elif VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
        # Without a version: interrupted from here on, it is made again.
        write_stamp(python="")
        venv.create(VENV, symlinks=True, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InstallFailed(f"{VENV} cannot be made: {error}") from error


def run_pip(lock: str) -> None:
    """Raises InstallFailed when pip does not put every package of the lock into .venv."""
    command = [PYTHON, "-I", "-m", "pip", "install", "--no-user", "--no-input"]
    command += [
        "--progress-bar=off",
        "--disable-pip-version-check",
        "--require-hashes",
        "-r",
        ROOT / lock,
    ]
    pip = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "PYTHONUTF8": "1"},
    )
    try:
        complaints = report(pip.stdout or ())
    except KeyboardInterrupt:
        pip.terminate()
        raise
    finally:
        code = pip.wait()
    if code:
        raise InstallFailed(sentence(complaints))


def report(lines: Iterable[str]) -> list[str]:
    """Shows pip's output as short lines of progress; returns what it complained about."""
    fetched = 0
    complaints = []
    for line in map(str.strip, lines):
        if line.startswith("Collecting "):
            fetched += 1
            if fetched % 10 == 0:
                print(f"  {fetched} packages fetched …", flush=True)
        elif line.startswith("Installing collected packages:"):
            print(f"Installing {line.count(',') + 1} packages …", flush=True)
        elif line.startswith(("ERROR:", "WARNING:")) or "DO NOT MATCH" in line:
            if "Retrying" in line and not any("Retrying" in each for each in complaints):
                print("  The package index does not answer, trying again …", flush=True)
            complaints.append(line)
    return complaints


def sentence(complaints: list[str]) -> str:
    """What went wrong and what to do, from pip's complaints."""
    told = "\n".join(complaints)
    if "DO NOT MATCH" in told:
        return "A package does not match its hash in the lock, so nothing was installed."
    if any(sign in told for sign in UNREACHABLE):
        return (
            "The packages could not be fetched: there is no network, or the package index does "
            "not answer. Run the same command again once it does."
        )
    errors = [line.removeprefix("ERROR:").strip() for line in complaints if "ERROR:" in line]
    return f"The packages could not be installed: {errors[0] if errors else 'pip failed.'}"


def digest(lock: str) -> str:
    """Raises InstallFailed when there is no such lock."""
    try:
        return hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()
    except OSError as error:
        raise InstallFailed(f"The lock {lock} cannot be read: {error}") from error


def read_stamp() -> dict[str, Any]:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    # A hand in the file may have left anything: then it is no stamp.
    is_stamp = isinstance(stamp, dict) and isinstance(stamp.get("locks"), dict)
    return stamp if is_stamp else {}


def write_stamp(*, python: str, locks: Iterable[str] = ()) -> None:
    draft = STAMP.with_suffix(".draft")
    digests = {lock: digest(lock) for lock in locks}
    stamp = {"venv": str(VENV), "python": python, "locks": digests}
    draft.write_text(json.dumps(stamp, indent=2) + "\n", encoding="utf-8")
    draft.replace(STAMP)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
