"""Whose address a request counts as: the audit and the sign-in lock rest on it."""

import pytest
from axes.models import AccessAttempt
from django.core import checks
from django.core.exceptions import MiddlewareNotUsed
from django.test import Client
from structlog.testing import capture_logs

from batches.models import AuditEvent
from dashboard import proxies
from dashboard.access import client_address

PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:0DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:4711", "192.0.2.1"),
    ],
)
def test_an_address_is_recognized_however_a_proxy_writes_it(rf, settings, written, expected):
    settings.BATCHBOARD_PROXIES = 1

    forwarded = rf.get("/", REMOTE_ADDR=PROXY, headers={"X-Forwarded-For": written})
    direct = rf.get("/", REMOTE_ADDR=written)

    assert client_address(forwarded) == client_address(direct) == expected


@pytest.mark.parametrize(
    "written",
    [
        "unknown", "_hidden", "192.0.2", "192.0.2.256", "1.2.3.4.5", "example.com:80", "[", "[]",
        "::ffff:", "x" * 10_000, "192.0.2.1 OR 1=1", "\x00", "１９２.0.2.1",
    ],
)  # fmt: skip
def test_what_is_no_address_counts_as_the_proxy_s(rf, settings, written):
    settings.BATCHBOARD_PROXIES = 1

    request = rf.get("/", REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=written)

    assert client_address(request) == PROXY


@pytest.mark.parametrize("peer", ["", "unix:", "/run/web.sock"])
def test_a_caller_by_a_unix_socket_has_no_address(rf, peer):
    assert client_address(rf.get("/", REMOTE_ADDR=peer)) == ""


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, PROXY), (1, "192.0.2.3"), (2, "192.0.2.2"), (3, "192.0.2.1"), (4, PROXY)],
)
def test_only_our_own_proxies_entries_count(rf, settings, count, expected):
    settings.BATCHBOARD_PROXIES = count
    forwarded = "192.0.2.1, 192.0.2.2:99, , 192.0.2.3"

    request = rf.get("/", REMOTE_ADDR=PROXY, headers={"X-Forwarded-For": forwarded})

    assert client_address(request) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("junk", PROXY),
    ],
)
def test_a_failed_sign_in_is_counted_and_recorded_for_the_address(
    client, db, settings, written, expected
):
    settings.BATCHBOARD_PROXIES = 1

    response = client.post(
        "/accounts/login/",
        {"username": "ada", "password": "guess"},
        REMOTE_ADDR=PROXY,
        headers={"X-Forwarded-For": written},
    )

    assert response.status_code == 200
    assert AccessAttempt.objects.get().ip_address == expected
    assert AuditEvent.objects.get(action="sign-in failed").address == expected


def test_callers_without_an_address_are_locked_together(db):
    browser = Client(REMOTE_ADDR="")

    for _ in range(5):
        response = browser.post("/accounts/login/", {"username": "ada", "password": "guess"})

    assert response.status_code == 429


def asked(middleware, rf, *, peer: str, **headers) -> list[str]:
    """What the middleware logs, at the level of a warning, when two such requests come."""
    with capture_logs() as logs:
        for _ in range(2):
            middleware(rf.get("/", REMOTE_ADDR=peer, headers=headers))
    return [log["event"] for log in logs if log["log_level"] == "warning"]


@pytest.fixture
def watching(settings) -> proxies.ProxyMiddleware:
    settings.SECURE_SSL_REDIRECT = False
    settings.BATCHBOARD_PROXIES = 0
    return proxies.ProxyMiddleware(lambda request: None)


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "172.18.0.5", "::1", "fd00::5"])
def test_a_proxy_that_is_not_counted_is_warned_of_once(watching, rf, peer):
    (warning,) = asked(watching, rf, peer=peer, **{"X-Forwarded-For": "192.0.2.1"})

    assert "BATCHBOARD_PROXIES is 0" in warning
    assert "set BATCHBOARD_PROXIES=1" in warning


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("127.0.0.1", {}),
        ("8.8.8.8", {"X-Forwarded-For": "192.0.2.1"}),
        ("", {"X-Forwarded-For": "192.0.2.1"}),
    ],
)
def test_a_stranger_s_header_is_no_sign_of_a_proxy(watching, rf, peer, headers):
    assert asked(watching, rf, peer=peer, **headers) == []


def test_https_without_a_counted_proxy_is_warned_of_at_the_start(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.BATCHBOARD_PROXIES = 0

    with capture_logs() as logs, pytest.raises(MiddlewareNotUsed):
        proxies.ProxyMiddleware(lambda request: None)
    found = checks.run_checks(tags=[checks.Tags.security])

    assert "BATCHBOARD_PROXIES is 0" in logs[0]["event"]
    assert [each.id for each in found if each.id.startswith("batchboard")] == ["batchboard.W001"]


def test_a_counted_proxy_is_not_warned_of(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.BATCHBOARD_PROXIES = 1

    with capture_logs() as logs, pytest.raises(MiddlewareNotUsed):
        proxies.ProxyMiddleware(lambda request: None)

    found = checks.run_checks(tags=[checks.Tags.security])

    assert logs == []
    assert not [each for each in found if each.id.startswith("batchboard")]
