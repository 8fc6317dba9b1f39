import re
import stat

import anthropic
import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard.environment import (
    Environment,
    base_url,
    credential,
    database,
    headers,
    is_loopback,
    kept_secret,
    refuse_insecurity,
)

GOOD_SECRET = "k3J9vQx7Tz1mWc8Rb5Yp2Lh6Ns4Df0Ga-e_uXoViKqMrZtSjBw"


def test_a_value_may_come_from_a_file(tmp_path):
    path = tmp_path / "key"
    path.write_text("sk-1\n")

    assert Environment({"ANTHROPIC_API_KEY_FILE": str(path)}).text("ANTHROPIC_API_KEY") == "sk-1"


def test_both_forms_at_once_and_a_missing_file_are_refused(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="only one"):
        Environment({"A": "1", "A_FILE": "/x"}).text("A")
    with pytest.raises(ImproperlyConfigured, match="A_FILE cannot be read"):
        Environment({"A_FILE": str(tmp_path / "none")}).text("A")


@pytest.mark.parametrize("value", ['"sk-1"', "'sk-1'", ' "sk-1" '])
def test_quotes_that_no_shell_removed_are_not_part_of_a_value(value, tmp_path):
    path = tmp_path / "key"
    path.write_text(value)

    assert Environment({"A": value}).text("A") == "sk-1"
    assert Environment({"A_FILE": str(path)}).text("A") == "sk-1"


@pytest.mark.parametrize("value", ['"', "it's", '"a" and "b'])
def test_a_quote_that_is_not_around_a_value_stays(value):
    assert Environment({"A": value}).text("A") == value


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ANTHROPIC_API_KEY", "sk-ant-admin01-geheim", "ANTHROPIC_ADMIN_KEY"),
        ("ANTHROPIC_ADMIN_KEY", "sk-ant-api03-geheim", "ANTHROPIC_API_KEY"),
        ("ANTHROPIC_API_KEY", '"sk-ant-api03-geheim', "a quote"),
        ("ANTHROPIC_API_KEY", "sk-ant-api03-geheim geheim", "a space"),
        ("ANTHROPIC_AUTH_TOKEN", "Bearer geheim", "a space"),
        ("ANTHROPIC_AUTH_TOKEN", "gehe\u00efm", "outside ASCII"),
    ],
)
def test_a_key_that_cannot_work_is_refused_without_repeating_it(name, value, expected):
    with pytest.raises(ImproperlyConfigured) as caught:
        credential(name, value)

    assert str(caught.value).startswith(name)
    assert expected in str(caught.value)
    assert "gehe" not in str(caught.value)


@pytest.mark.parametrize("value", ["", "sk-ant-api03-abc_DEF-123", "sandbox-research", "a.b+c/d=="])
def test_any_other_key_is_accepted(value):
    assert credential("ANTHROPIC_API_KEY", value) == value


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/messages", "/v1/messages/batches"])
def test_the_apis_own_path_is_removed_from_its_address(ending):
    assert base_url("A", f"https://gateway.example/anthropic{ending}") == (
        "https://gateway.example/anthropic"
    )


@pytest.mark.parametrize(
    "value",
    [
        "gateway.example",
        "ftp://gateway.example",
        "https://",
        "https://ada:geheim@gateway.example",
        "https://gateway.example/?key=geheim",
        "https://gateway.example:geheim",
    ],
)
def test_an_address_that_cannot_work_is_refused_without_repeating_it(value):
    with pytest.raises(ImproperlyConfigured, match="ANTHROPIC_BASE_URL") as caught:
        base_url("ANTHROPIC_BASE_URL", value)

    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("value", ["http://gateway.example", "HTTP://10.0.0.1:8080/anthropic"])
def test_plain_http_to_another_machine_must_be_allowed(value):
    with pytest.raises(ImproperlyConfigured, match="BATCHBOARD_ALLOW_HTTP=1"):
        base_url("ANTHROPIC_BASE_URL", value)

    assert base_url("ANTHROPIC_BASE_URL", value, allow_http=True).startswith("http://")


@pytest.mark.parametrize("value", ["http://127.0.0.1:8010", "http://localhost", "http://[::1]:1"])
def test_plain_http_to_this_machine_needs_no_permission(value):
    assert base_url("ANTHROPIC_BASE_URL", value) == value


def test_headers_are_read_as_the_official_sdk_reads_them(monkeypatch):
    value = (
        "cf-aig-authorization: Bearer cfut: x\r\n\nnot a header\nx-tenant:team-7\nx-tenant: team-8"
    )
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", value)

    found = headers("ANTHROPIC_CUSTOM_HEADERS", value)

    assert found == {"cf-aig-authorization": "Bearer cfut: x", "x-tenant": "team-8"}
    sdk = anthropic.Anthropic(api_key="x")
    assert found.items() <= sdk.default_headers.items()


@pytest.mark.parametrize(
    "name",
    [
        "Host", "x-api-key", "Authorization", "content-length", "transfer-encoding", "connection",
        "accept-encoding", "content-type", "anthropic-version", "a b", "",
    ],
)  # fmt: skip
def test_a_header_that_would_break_a_call_is_refused_without_its_value(name):
    with pytest.raises(ImproperlyConfigured, match="HEADERS cannot be used") as caught:
        headers("HEADERS", f"x-tenant: a\n{name}: geheim")

    assert "geheim" not in str(caught.value)


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
@pytest.mark.parametrize("debug", [False, True])
def test_insecure_settings_do_not_start(secret, hosts, debug):
    with pytest.raises(ImproperlyConfigured, match=r"ALLOWED_HOSTS contains|SECRET_KEY is short"):
        refuse_insecurity(debug=debug, secret_key=secret, allowed_hosts=hosts)


@pytest.mark.parametrize(
    ("hosts", "bind", "named"),
    [
        (["example.com"], "", "example.com"),
        (["localhost", "10.0.0.1"], "", "10.0.0.1"),
        (["localhost"], "0.0.0.0", "0.0.0.0"),
        (["localhost"], "::", "::"),
        (["localhost", ".example.com"], "127.0.0.1", ".example.com"),
    ],
)
def test_debugging_where_others_can_reach_it_does_not_start(hosts, bind, named):
    with pytest.raises(ImproperlyConfigured, match=f"others can reach {re.escape(named)}: "):
        refuse_insecurity(debug=True, secret_key=GOOD_SECRET, allowed_hosts=hosts, bind=bind)


def test_secure_settings_and_debugging_on_this_machine_start():
    ours = ["localhost", "127.0.0.1", "[::1]"]

    refuse_insecurity(
        debug=False, secret_key=GOOD_SECRET, allowed_hosts=["example.com"], bind="0.0.0.0"
    )
    refuse_insecurity(debug=True, secret_key=GOOD_SECRET, allowed_hosts=ours)
    refuse_insecurity(debug=True, secret_key=GOOD_SECRET, allowed_hosts=ours, bind="::1")


def test_a_generated_secret_is_kept_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "var" / "secret_key"

    first, second = kept_secret(path), kept_secret(path)

    assert first == second
    assert len(first) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["secret_key"]


def test_a_secret_that_cannot_be_saved_names_the_folder_and_what_to_do(tmp_path):
    (tmp_path / "var").touch()

    with pytest.raises(ImproperlyConfigured) as caught:
        kept_secret(tmp_path / "var" / "secret_key", name="SECRET_KEY")

    assert f"{tmp_path}/var" in str(caught.value)
    assert "BATCHBOARD_VAR" in str(caught.value)
    assert "SECRET_KEY" in str(caught.value)


def test_a_database_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ImproperlyConfigured, match=f"{tmp_path}/file/board.db cannot be written"):
        database(f"sqlite:///{tmp_path}/file/board.db", default_path=tmp_path)


def test_a_lock_is_waited_for_at_most_five_seconds(tmp_path):
    found = database("", default_path=tmp_path / "board.db")

    assert found["OPTIONS"]["timeout"] <= 5


def test_a_postgres_address_is_parsed(tmp_path):
    found = database(
        "postgres://ada:p%40ss@db.example:5433/board?sslmode=require", default_path=tmp_path
    )

    assert found["ENGINE"] == "django.db.backends.postgresql"
    assert (found["USER"], found["PASSWORD"]) == ("ada", "p@ss")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", 5433, "board")
    assert found["OPTIONS"] == {"connect_timeout": 5, "sslmode": "require"}


@pytest.mark.parametrize(
    ("query", "is_disabled"), [("", False), ("?pgbouncer=0", False), ("?pgbouncer=1", True)]
)
def test_behind_pgbouncer_django_opens_no_cursor_at_the_server(tmp_path, query, is_disabled):
    found = database(f"postgres://u:p@h/n{query}", default_path=tmp_path)

    assert found["DISABLE_SERVER_SIDE_CURSORS"] is is_disabled
    assert "pgbouncer" not in found["OPTIONS"]


def test_another_value_for_pgbouncer_is_refused(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="set pgbouncer to 1 or 0"):
        database("postgres://u:geheim@h/n?pgbouncer=yes", default_path=tmp_path)


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
