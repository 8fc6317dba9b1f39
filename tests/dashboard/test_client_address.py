"""Whose address a request counts as: the audit and the sign-in lock depend on it."""

import pytest
from axes.models import AccessAttempt
from django.test import Client

from batches.models import AuditEvent
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
def test_an_entry_that_is_no_address_counts_as_the_proxys(rf, settings, written):
    settings.BATCHBOARD_PROXIES = 1

    request = rf.get("/", REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_FOR=written)

    assert client_address(request) == PROXY


@pytest.mark.parametrize("peer", ["", "unix:", "/run/web.sock"])
def test_a_caller_on_a_unix_socket_has_no_address(rf, peer):
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
