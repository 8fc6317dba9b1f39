"""Batchboard as it runs: real processes on free ports, in a folder of their own."""

import atexit
import fcntl
import hashlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
from psycopg import sql

from tests.processes.nursery import ROOT, Nursery

PASSWORD = "correct horse 9 battery"
ENCRYPTION_KEY = "y9zS5Zr0xO2J3o7pXcBqv1o8m0m9mQ3vXh7l2c4d6eE="
# In one process, because each start of Django takes a second.
PREPARE = """
from django.core.management import call_command
call_command("migrate")
call_command("collectstatic", interactive=False)
call_command("createsuperuser", interactive=False, username="ada", email="a@b.example")
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def named(process: str, number: int) -> str:
    return process if number == 0 else f"{process}-{number + 1}"


def create_database(server_url: str, *, template: str) -> str:
    """The address of a new database on the PostgreSQL server, a copy of the template."""
    names = f"crew_{uuid.uuid4().hex[:12]}", template
    parts = urlsplit(server_url)
    with psycopg.connect(parts._replace(path="/postgres").geturl(), autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(*map(sql.Identifier, names)))
    return parts._replace(path=f"/{names[0]}").geturl()


class Prepared(NamedTuple):
    """A migrated database with the superuser ada, and the collected static files."""

    var: Path
    database_url: str


@cache
def prepared(server_url: str) -> Prepared:
    """What crews copy. The processes of one `python -m tests` prepare it once between them."""
    shared = os.environ.get("SHARED_BY_TESTS")
    if not shared:
        shared = tempfile.mkdtemp(prefix="batchboard-crew-")
        atexit.register(shutil.rmtree, shared, ignore_errors=True)
    folder = Path(shared) / hashlib.sha256(server_url.encode()).hexdigest()[:12]
    folder.mkdir(exist_ok=True)
    note = folder / "database"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not note.exists():
            crew = Crew(folder, server_url=server_url)
            crew.manage("shell", "-c", PREPARE)
            note.write_text(crew.database_url)
    return Prepared(folder, note.read_text())


def wait_until(true: Callable[[], object], *, seconds: float, what: str) -> None:
    """Checks ten times a second. Raises AssertionError when it stays false."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        pause.wait(0.1)


class Crew:
    """Sandbox, web and worker, each of which can be killed and started again.

    The database is SQLite's in `var` or, with the URL of a PostgreSQL server, one of its own there.
    """

    def __init__(
        self,
        var: Path,
        *,
        faults: str = "",
        webs: int = 1,
        workers: int = 1,
        server_url: str | None = None,
    ) -> None:
        self.var = var
        if server_url is None:
            server_url = os.environ.get("TEST_DATABASE_URL", "")
        self.server_url = server_url
        self.sandbox_port = free_port()
        self.web_ports = [free_port() for _ in range(webs)]
        self.web_url = f"http://127.0.0.1:{self.web_ports[0]}"
        self.sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        self.processes: dict[str, psutil.Process] = {}
        self.nursery: Nursery | None = None
        self.database_url = ""
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(var),
            "BATCHBOARD_ENCRYPTION_KEYS": ENCRYPTION_KEY,
            "BATCHBOARD_VAR": str(var),
            "BATCHBOARD_POLL_SECONDS": "1",
            "BATCHBOARD_LOG_LEVEL": "WARNING",
            "ANTHROPIC_API_KEY": "sandbox-research",
            "ANTHROPIC_BASE_URL": self.sandbox_url,
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        }
        sandbox = ["manage.py", "sandbox", "--port", str(self.sandbox_port)]
        sandbox += ["--state", str(var / "sandbox.db")]
        self.commands = {"sandbox": [*sandbox, "--faults", faults] if faults else sandbox}
        for number, port in enumerate(self.web_ports):
            self.commands[named("web", number)] = [
                "-m", "gunicorn", "-c", "dashboard/gunicorn.py",
                "--bind", f"127.0.0.1:{port}", "dashboard.wsgi",
            ]  # fmt: skip
        for number in range(workers):
            self.commands[named("worker", number)] = ["manage.py", "worker"]
        if server_url:
            self.use_database("template1")

    def use_database(self, template: str) -> None:
        self.database_url = create_database(self.server_url, template=template)
        self.env["DATABASE_URL"] = self.database_url

    def prepare(self) -> None:
        """Migrates, collects the static files and creates the superuser ada, by copying."""
        source = prepared(self.server_url)
        ignore = shutil.ignore_patterns("static", "lock", "database")
        shutil.copytree(source.var, self.var, ignore=ignore, dirs_exist_ok=True)
        self.env["BATCHBOARD_STATIC_ROOT"] = str(source.var / "static")
        if self.server_url:
            self.use_database(urlsplit(source.database_url).path.strip("/"))

    def rows(self, query: str, *values: object) -> list[tuple]:
        """Rows of Batchboard's database; `%s` stands for a value."""
        with self.connected() as connection:
            return connection.execute(self.in_dialect(query), values).fetchall()

    def change(self, statement: str, *values: object) -> int:
        """How many rows the statement has changed."""
        with self.connected() as connection:
            return connection.execute(self.in_dialect(statement), values).rowcount

    def in_dialect(self, statement: str) -> str:
        return statement if self.database_url else statement.replace("%s", "?")

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection | sqlite3.Connection]:
        """A connection to Batchboard's database whose every statement is committed."""
        if self.database_url:
            connection = psycopg.connect(self.database_url, autocommit=True)
        else:
            path = self.var / "batchboard.db"
            # A thread may take the lock that another one gives back.
            connection = sqlite3.connect(
                path, timeout=20, isolation_level=None, check_same_thread=False
            )
        with closing(connection):
            yield connection

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """No other process can write to the table, as while another program does.

        SQLite locks all tables. Reading them works on both databases.
        """
        with self.connected() as connection:
            connection.execute("BEGIN" if self.database_url else "BEGIN IMMEDIATE")
            if self.database_url:
                connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield
            connection.execute("ROLLBACK")

    def one(self, query: str, *values: object) -> object:
        """The first column of the first row; None without a row."""
        found = self.rows(query, *values)
        return found[0][0] if found else None

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.env, check=True, capture_output=True)

    def start(self, name: str) -> None:
        self.nursery = self.nursery or Nursery(self.env)
        log = self.var / f"{name}.log"
        self.processes[name] = self.nursery.start(self.commands[name], log)

    def start_all(self) -> None:
        self.prepare()
        for name in self.commands:
            self.start(name)
        wait_until(lambda: self.answers(f"{self.web_url}/healthz"), seconds=30, what="web")

    def kill(self, name: str) -> None:
        """Kills the process as the kernel does when memory runs out: no handler runs."""
        process = self.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def terminate(self, name: str, *, within: float) -> float:
        """Sends SIGTERM, as systemd does, and returns the seconds until the process ended."""
        process = self.processes[name]
        began = time.monotonic()
        process.terminate()
        process.wait(timeout=within)
        return time.monotonic() - began

    def log(self, name: str) -> str:
        return (self.var / f"{name}.log").read_text()

    def stop_all(self) -> None:
        for name, process in self.processes.items():
            if process.is_running():
                self.kill(name)
        if self.nursery:
            self.nursery.close()

    def answers(self, url: str) -> bool:
        try:
            return httpx.get(url).status_code == 200
        except httpx.TransportError:
            return False

    def sign_in(self, name: str = "ada") -> httpx.Client:
        """A signed-in browser without JavaScript."""
        browser = httpx.Client(base_url=self.web_url, timeout=30)
        token = csrf_in(browser.get("/accounts/login/").text)
        form = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": token}
        signed_in = browser.post("/accounts/login/", data=form)
        assert signed_in.status_code == 302, signed_in.text
        return browser


def csrf_in(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, "no form with a CSRF token"
    return found[1]
