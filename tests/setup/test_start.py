"""How each kind of process starts, or explains in a sentence why it can't."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.launch.ready import web_host
from tests.processes.crew import free_port

ROOT = Path(__file__).resolve().parents[2]
MANAGE = [sys.executable, "manage.py"]
GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "dashboard/gunicorn.py", "dashboard.wsgi"]
SHOW = """
import json, sys
from dashboard import settings
print(json.dumps([str(getattr(settings, name)) for name in sys.argv[1:]]))
"""


def run(command: list[str], **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs it with these variables alone."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def settings_of(*names: str, **environ: str) -> list[str]:
    ended = run([sys.executable, "-c", SHOW, *names], **environ)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture
def no_folder(tmp_path) -> str:
    """A path at which no folder can be made, not even by root."""
    (tmp_path / "file").touch()
    return str(tmp_path / "file" / "var")


@pytest.mark.parametrize(
    "command",
    [
        [*MANAGE, "check"],
        [*MANAGE, "migrate"],
        [*MANAGE, "run"],
        [*MANAGE, "sandbox"],
        [sys.executable, "-m", "dashboard.launch.demo"],
        GUNICORN,
    ],
)
def test_a_folder_that_cannot_be_written_is_named_with_its_variable(no_folder, command):
    ended = run(command, BATCHBOARD_VAR=no_folder, PORT=str(free_port()))

    assert ended.returncode == 2
    assert no_folder in ended.stderr
    assert "BATCHBOARD_VAR" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_that_are_all_given_need_no_folder(no_folder, tmp_path):
    ended = run(
        [*MANAGE, "migrate"],
        BATCHBOARD_VAR=no_folder,
        BATCHBOARD_ENCRYPTION_KEYS="y9zS5Zr0xO2J3o7pXcBqv1o8m0m9mQ3vXh7l2c4d6eE=",
        SECRET_KEY="k3J9vQx7Tz1mWc8Rb5Yp2Lh6Ns4Df0Ga-e_uXoViKqMrZtSjBw",
        DATABASE_URL=f"sqlite:///{tmp_path}/board.db",
    )

    assert ended.returncode == 0, ended.stderr


def test_the_traceback_is_printed_on_request(no_folder):
    ended = run([*MANAGE, "check", "--traceback"], BATCHBOARD_VAR=no_folder)

    assert "Traceback" in ended.stderr


def test_static_files_may_come_from_the_image(tmp_path):
    found = settings_of(
        "STATIC_ROOT", BATCHBOARD_VAR=str(tmp_path), BATCHBOARD_STATIC_ROOT="/app/collected"
    )

    assert found == ["/app/collected"]


def test_a_token_alone_is_used_and_a_key_takes_precedence(tmp_path):
    names = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
    token = {"BATCHBOARD_VAR": str(tmp_path), "ANTHROPIC_AUTH_TOKEN": "tok-abc"}

    assert settings_of(*names, **token) == ["", "tok-abc"]
    assert settings_of(*names, **token, ANTHROPIC_API_KEY="sk-1") == ["sk-1", ""]


HSTS = ("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ["0", "False", "False"]),
        ({"ALLOWED_HOSTS": "example.com"}, ["3600", "False", "False"]),
        (
            {
                "ALLOWED_HOSTS": "example.com",
                "BATCHBOARD_HSTS_SECONDS": "31536000",
                "BATCHBOARD_HSTS_SUBDOMAINS": "1",
                "BATCHBOARD_HSTS_PRELOAD": "1",
            },
            ["31536000", "True", "True"],
        ),
    ],
)
def test_hsts_is_for_an_hour_and_this_host_by_default(tmp_path, environ, expected):
    assert settings_of(*HSTS, BATCHBOARD_VAR=str(tmp_path), **environ) == expected


def test_hsts_beyond_two_years_is_refused(tmp_path):
    ended = run([*MANAGE, "check"], BATCHBOARD_VAR=str(tmp_path), BATCHBOARD_HSTS_SECONDS="1e9")

    assert ended.returncode == 2
    assert "BATCHBOARD_HSTS_SECONDS" in ended.stderr


@pytest.mark.parametrize(
    ("host", "expected"),
    [("::", "[::]:8000"), ("[::1]", "[::1]:8000"), ("0.0.0.0", "0.0.0.0:8000")],
)
def test_an_ipv6_address_needs_no_brackets(host, expected):
    show = "import dashboard.gunicorn as g; print(g.bind)"

    assert run([sys.executable, "-c", show], BATCHBOARD_BIND=host).stdout.strip() == expected


@pytest.mark.parametrize(
    ("bind", "expected"),
    [("", "127.0.0.1"), ("::", "127.0.0.1"), ("::1", "[::1]"), ("[::1]", "[::1]"), ("web", "web")],
)
def test_the_printed_address_can_be_opened(monkeypatch, bind, expected):
    monkeypatch.setenv("BATCHBOARD_BIND", bind)

    assert web_host() == expected


def test_a_full_or_broken_folder_is_named(tmp_path):
    # A folder where the note about the static files should be.
    (tmp_path / "static-sources").mkdir()

    ended = run(
        [*MANAGE, "run"],
        BATCHBOARD_VAR=str(tmp_path),
        ANTHROPIC_API_KEY="x",
        PORT=str(free_port()),
    )

    assert ended.returncode == 2
    assert f"Batchboard writes to {tmp_path}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_of_a_newer_version_is_not_started(tmp_path):
    environ = {"BATCHBOARD_VAR": str(tmp_path), "ANTHROPIC_API_KEY": "x", "PORT": str(free_port())}
    newer = (
        "from django.db import connection; "
        "from django.db.migrations.recorder import MigrationRecorder; "
        "MigrationRecorder(connection).record_applied('batches', '9999_of_tomorrow')"
    )
    run([*MANAGE, "shell", "-v0", "-c", newer], **environ)

    ended = run([*MANAGE, "run"], **environ)

    assert ended.returncode == 2
    assert "This database is from a newer version: migration 9999_of_tomorrow" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_file_that_is_not_a_database_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "batchboard.db").write_text("not a database, whatever its name says\n" * 99)

    ended = run(
        [*MANAGE, "run"],
        BATCHBOARD_VAR=str(tmp_path),
        ANTHROPIC_API_KEY="x",
        PORT=str(free_port()),
    )

    assert ended.returncode == 2
    assert "The database cannot be prepared: file is not a database" in ended.stderr
    assert "Traceback" not in ended.stderr
