import stat

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard.environment import (
    Environment,
    database,
    is_loopback,
    kept_secret,
    refuse_insecurity,
)

GOOD_SECRET = "k3J9vQx7Tz1mWc8Rb5Yp2Lh6Ns4Df0Ga-e_uXoViKqMrZtSjBw"


def test_a_value_may_stand_in_a_file(tmp_path):
    path = tmp_path / "key"
    path.write_text("sk-1\n")

    assert Environment({"ANTHROPIC_API_KEY_FILE": str(path)}).text("ANTHROPIC_API_KEY") == "sk-1"


def test_both_forms_at_once_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="only one"):
        Environment({"A": "1", "A_FILE": "/x"}).text("A")
    with pytest.raises(ImproperlyConfigured, match="A_FILE cannot be read"):
        Environment({"A_FILE": str(tmp_path / "none")}).text("A")


@pytest.mark.parametrize("value", ["maybe", "2", "-"])
def test_a_flag_is_a_yes_or_a_no(value):
    with pytest.raises(ImproperlyConfigured, match="DEBUG"):
        Environment({"DEBUG": value}).flag("DEBUG")


@pytest.mark.parametrize("value", ["0", "-3", "soon", "nan", "inf", "99999"])
def test_a_number_out_of_bounds_is_refused(value):
    with pytest.raises(ImproperlyConfigured, match="POLL"):
        Environment({"POLL": value}).number("POLL", 10, at_least=1, at_most=3600)


@pytest.mark.parametrize(
    ("secret", "hosts"),
    [
        ("short", ["example.com"]),
        ("a" * 60, ["example.com"]),
        ("django-insecure-" + GOOD_SECRET, ["example.com"]),
        ("change-me-" + GOOD_SECRET, ["example.com"]),
        (GOOD_SECRET, ["*"]),
        (GOOD_SECRET, ["example.com", "*.example.com"]),
    ],
)
def test_insecure_settings_do_not_start(secret, hosts):
    with pytest.raises(ImproperlyConfigured):
        refuse_insecurity(debug=False, secret_key=secret, allowed_hosts=hosts)


def test_secure_settings_and_debugging_do():
    refuse_insecurity(debug=False, secret_key=GOOD_SECRET, allowed_hosts=["example.com"])
    refuse_insecurity(debug=True, secret_key="x", allowed_hosts=["*"])


def test_a_made_secret_is_kept_and_readable_by_its_owner_alone(tmp_path):
    path = tmp_path / "var" / "secret_key"

    first, second = kept_secret(path), kept_secret(path)

    assert first == second
    assert len(first) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["secret_key"]


def test_a_postgres_address_is_taken_apart(tmp_path):
    found = database(
        "postgres://ada:p%40ss@db.example:5433/board?sslmode=require", default_path=tmp_path
    )

    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["USER"], found["PASSWORD"]) == ("ada", "p@ss")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", 5433, "board")
    assert found["OPTIONS"] == {"sslmode": "require"}


@pytest.mark.parametrize("url", ["mysql://u:geheim@h/n", "postgres://u:geheim@h:port/n", "geheim"])
def test_another_address_is_refused_without_its_password(url, tmp_path):
    with pytest.raises(ImproperlyConfigured) as caught:
        database(url, default_path=tmp_path / "db")

    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("127.8.8.8", True),
        ("example.com", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
    ],
)
def test_only_this_machine_is_loopback(host, expected):
    assert is_loopback(host) is expected
