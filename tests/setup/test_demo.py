import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from django.contrib.auth.models import User

from batches.models import AuditEvent, Batch, Workspace
from dashboard.launch.demo import demo_environment
from dashboard.launch.labels import label_once
from dashboard.launch.people import prepare_demo
from dashboard.launch.ports import PortRefused
from dashboard.roles import ROLES, role_of
from tests.processes.crew import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def in_demo(db, settings, tmp_path) -> Path:
    """The folder of a demo whose environment is set."""
    settings.ANTHROPIC_API_KEY = "sandbox-research"
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:8010"
    return tmp_path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_each_role_gets_a_person_in_both_workspaces(in_demo):
    passwords = prepare_demo(in_demo)

    assert list(passwords) == list(ROLES)
    for role, password in passwords.items():
        person = User.objects.get(username=role)
        assert person.check_password(password)
        assert role_of(person) == role
        assert {each.name for each in person.workspaces.all()} == {"Research", "Production"}


def test_a_second_start_prints_the_same_passwords(in_demo):
    first = prepare_demo(in_demo)

    second = prepare_demo(in_demo)

    assert second == first
    assert Workspace.objects.count() == 2


def test_a_printed_password_works_even_if_someone_changed_it(in_demo):
    prepare_demo(in_demo)
    viewer = User.objects.get(username="viewer")
    viewer.set_password("something else 9")
    viewer.is_active = False
    viewer.save()

    passwords = prepare_demo(in_demo)

    viewer.refresh_from_db()
    assert viewer.check_password(passwords["viewer"])
    assert viewer.is_active


def test_only_the_owner_can_read_the_kept_passwords(in_demo):
    prepare_demo(in_demo)

    assert (in_demo / "sign-ins.json").stat().st_mode & 0o077 == 0


def test_the_demo_never_sees_what_configures_a_real_copy():
    real = {
        "ANTHROPIC_API_KEY": "sk-ant-real",
        "ANTHROPIC_ADMIN_KEY": "sk-ant-admin01-real",
        "ANTHROPIC_AUTH_TOKEN_FILE": "/run/secrets/token",
        "ANTHROPIC_CUSTOM_HEADERS": "x-tenant: real",
        "ANTHROPIC_WORKSPACE_ID": "wrkspc_real",
        "DATABASE_URL": "postgres://real/db",
        "SECRET_KEY_FILE": "/run/secrets/key",
        "BATCHBOARD_ENCRYPTION_KEYS": "real",
        "BATCHBOARD_BIND": "0.0.0.0",
        "DEBUG": "release",
        "PATH": "/bin",
    }

    environ = demo_environment(real)

    assert environ["PATH"] == "/bin"
    assert environ["ANTHROPIC_API_KEY"] == "sandbox-research"
    assert environ["ANTHROPIC_ADMIN_KEY"] == "sandbox-admin"
    assert environ.keys() & real.keys() == {"ANTHROPIC_API_KEY", "ANTHROPIC_ADMIN_KEY", "PATH"}


def test_no_proxy_comes_between_the_demo_and_its_sandbox():
    proxies = {"HTTP_PROXY": "http://proxy.corp:3128", "all_proxy": "socks5://127.0.0.1:1080"}

    environ = demo_environment(proxies)

    assert not environ.keys() & proxies.keys()
    assert environ["NO_PROXY"] == environ["no_proxy"] == "*"


def test_the_demo_writes_beside_the_real_copy_not_into_it():
    environ = demo_environment({"BATCHBOARD_VAR": "/srv/batchboard"})

    assert environ["BATCHBOARD_VAR"] == "/srv/batchboard/demo"


def test_a_sandbox_port_that_is_not_a_number_is_refused():
    with pytest.raises(PortRefused, match="SANDBOX_PORT"):
        demo_environment({"SANDBOX_PORT": "many"})


def test_most_of_the_demos_batches_have_a_label_from_the_beginning(mirrored):
    for _ in range(30):
        mirrored()

    label_once()

    assert 15 < Batch.objects.exclude(label="").count() < 30
    assert not AuditEvent.objects.exists()


def test_a_label_that_someone_has_given_keeps_the_demo_from_adding_any(mirrored):
    first, _ = mirrored(), mirrored()
    Batch.objects.filter(pk=first.pk).update(label="mine")

    label_once()

    assert list(Batch.objects.values_list("label", flat=True).order_by("pk")) == ["mine", ""]


@pytest.fixture
def demo(tmp_path) -> Iterator[subprocess.Popen[str]]:
    """The demo as a real process, in a folder and on ports of its own."""
    ports = {"PORT": str(free_port()), "SANDBOX_PORT": str(free_port())}
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard.launch.demo"],
        cwd=ROOT,
        env={**os.environ, **ports, "BATCHBOARD_VAR": str(tmp_path), "BATCHBOARD_LOG_LEVEL": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        yield process
        # Only where the test has not ended it already.
        process.terminate()


def until_ready(demo: subprocess.Popen[str]) -> str:
    said = []
    for line in demo.stdout or ():
        said.append(line)
        if "Ctrl-C ends everything" in line:
            return "".join(said)
    pytest.fail("The demo ended: " + "".join(said))


@pytest.mark.processes
def test_a_newcomer_signs_in_sees_batches_and_leaves_nothing_behind(demo, tmp_path):
    said = until_ready(demo)
    with signed_in(said, "operator") as browser:
        page = browser.get("/")
    # First the database, because loading the page ten times a second would slow the readers down.
    wait_until(lambda: unread(tmp_path / "demo") == 0, seconds=60, what="every result read")
    with signed_in(said, "lead") as browser:
        wait_until(
            lambda: "not read yet" not in browser.get("/spend/").text,
            seconds=60,
            what="a page that says so",
        )
        spend = browser.get("/spend/?group=label").text
    started = psutil.Process(demo.pid).children(recursive=True)
    files = {path.name: path.stat().st_mode for path in (tmp_path / "demo").iterdir()}
    demo.send_signal(signal.SIGINT)
    code = demo.wait(timeout=20)

    assert 'data-status="in_progress"' in page.text
    assert 'data-status="canceling"' in page.text
    assert "form" in page.text
    assert "data-cancel" in page.text
    assert "nightly eval" in spend
    assert "Compared with Anthropic’s cost report" in spend
    # The static files are not secret, nor is the note by which changes are noticed.
    assert {name for name, mode in files.items() if mode & 0o077} <= {"static", "static-sources"}
    assert {"batchboard.db-wal", "sandbox.db", "sandbox.db-wal"} <= files.keys()
    # web with its workers, worker and sandbox
    assert len(started) >= 4
    assert psutil.wait_procs(started, timeout=5)[1] == []
    assert code == 0


def unread(folder: Path) -> int:
    """How many ended batches have no results yet."""
    pending = "processing_status = 'ended' AND results_state = 'pending'"
    with closing(sqlite3.connect(folder / "batchboard.db", timeout=20)) as connection:
        return connection.execute(f"SELECT count(*) FROM batches_batch WHERE {pending}").fetchone()[
            0
        ]


@contextmanager
def signed_in(said: str, role: str) -> Iterator[httpx.Client]:
    """A browser in which the demo's person of this role has signed in, as the demo said how."""
    address = re.search(r"http://127\.0\.0\.1:\d+/(?=\n)", said)
    password = re.search(rf"^  {role} +(\S+)", said, re.MULTILINE)
    assert address
    assert password
    with httpx.Client(base_url=address[0], follow_redirects=True) as browser:
        form = {
            "username": role,
            "password": password[1],
            "next": "/",
            "csrfmiddlewaretoken": token_in(browser.get("/accounts/login/").text),
        }
        browser.post("/accounts/login/", data=form)
        yield browser


def token_in(page: str) -> str:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    return token[1]


@pytest.mark.processes
def test_without_a_key_a_real_copy_says_what_to_do(tmp_path):
    environ = {name: value for name, value in os.environ.items() if name != "ANTHROPIC_API_KEY"}
    environ |= {"PORT": str(free_port()), "BATCHBOARD_VAR": str(tmp_path)}
    environ |= {"DJANGO_SETTINGS_MODULE": "dashboard.settings"}

    ended = subprocess.run(
        [sys.executable, "manage.py", "run"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "set ANTHROPIC_API_KEY" in ended.stderr
