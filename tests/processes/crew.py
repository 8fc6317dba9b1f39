"""The product as it runs: real processes on free ports, in a folder of their own."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse 9 battery"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(true: Callable[[], object], *, seconds: float, what: str) -> None:
    """Looks ten times a second. Raises AssertionError when it stays untrue."""
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        pause.wait(0.1)


class Crew:
    """Sandbox, web, mirror and worker, each of which can be killed and comes back."""

    def __init__(self, var: Path, *, faults: str = "") -> None:
        self.var = var
        self.web_port, self.sandbox_port = free_port(), free_port()
        self.web_url = f"http://127.0.0.1:{self.web_port}"
        self.sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(var),
            "BATCHBOARD_VAR": str(var),
            "BATCHBOARD_POLL_SECONDS": "1",
            "BATCHBOARD_LOG_LEVEL": "WARNING",
            "ANTHROPIC_API_KEY": "sandbox-research",
            "ANTHROPIC_BASE_URL": self.sandbox_url,
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        }
        manage = [sys.executable, "manage.py"]
        sandbox = [*manage, "sandbox", "--port", str(self.sandbox_port)]
        sandbox += ["--state", str(var / "sandbox.db")]
        self.commands = {
            "sandbox": [*sandbox, "--faults", faults] if faults else sandbox,
            "web": [
                sys.executable, "-m", "gunicorn", "-c", "dashboard/gunicorn.py",
                "--bind", f"127.0.0.1:{self.web_port}", "dashboard.wsgi",
            ],
            "mirror": [*manage, "mirror"],
            "worker": [*manage, "db_worker", "--queue-name", "*", "--interval", "0.5"],
        }  # fmt: skip

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.env, check=True, capture_output=True)

    def start(self, name: str) -> None:
        with (self.var / f"{name}.log").open("ab") as log:
            # A group of its own: gunicorn's workers go with their master.
            self.processes[name] = subprocess.Popen(
                self.commands[name],
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start_all(self) -> None:
        self.manage("migrate")
        self.manage("collectstatic", "--noinput")
        self.manage("createsuperuser", "--noinput", "--username", "ada", "--email", "a@b.example")
        for name in self.commands:
            self.start(name)
        wait_until(lambda: self.answers(f"{self.web_url}/healthz"), seconds=30, what="web")

    def kill(self, name: str) -> None:
        """As the kernel does when memory runs out: no handler gets to run."""
        process = self.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        for name in self.processes:
            if self.processes[name].poll() is None:
                self.kill(name)

    def answers(self, url: str) -> bool:
        try:
            return httpx.get(url).status_code == 200
        except httpx.TransportError:
            return False

    def sign_in(self) -> httpx.Client:
        """A browser without JavaScript, signed in; it asks for a card as htmx does."""
        browser = httpx.Client(base_url=self.web_url, timeout=30)
        token = csrf_in(browser.get("/accounts/login/").text)
        form = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token}
        signed_in = browser.post("/accounts/login/", data=form)
        assert signed_in.status_code == 302, signed_in.text
        return browser


def csrf_in(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, "no form with a CSRF token"
    return found[1]
