"""SQLite's own kinds of trouble, each as the web process meets it."""

import sqlite3
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection
from django.test import Client

from batches.models import AuditEvent, Cancellation
from tests.dashboard.conftest import row, sign_in  # noqa: F401

PRESS = {"path": "/batches/one/cancel/", "data": {"reason": "x" * 500}}


@pytest.fixture
def operator(committed, sign_in, row) -> Client:  # noqa: F811
    """Signed in, in front of a running batch. What breaks inside is answered, not raised."""
    row("one")
    operator = sign_in("operator")
    operator.raise_request_exception = False
    return operator


@pytest.fixture
def pragma(operator) -> Iterator:
    """A function that sets up the connection; a new one follows it."""
    with connection.cursor() as cursor:
        yield lambda text: cursor.execute(f"PRAGMA {text}")
    connection.close()


@pytest.fixture
def locked(pragma) -> Iterator[sqlite3.Connection]:
    """Another program is writing, and takes its time."""
    pragma("busy_timeout=0")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


@pytest.fixture
def read_only(pragma) -> None:
    pragma("query_only=1")


@pytest.fixture
def full(pragma) -> None:
    """The disk, as SQLite sees it: the file cannot grow."""
    pragma("max_page_count=1")
    for size in (2000, 20):
        with pytest.raises(OperationalError, match="full"):
            fill(size)


def fill(size: int) -> None:
    for _ in range(10_000):
        AuditEvent.record("filler", reason="x" * size)


@pytest.mark.parametrize("trouble", ["locked", "read_only", "full"])
def test_a_press_that_cannot_be_saved_says_so_and_calls_nobody(operator, request, sandbox, trouble):
    request.getfixturevalue(trouble)

    response = operator.post(**PRESS)

    assert response.status_code == 503
    assert "The database is not available right now" in response.text
    assert "Your request was probably not saved." in response.text
    assert not Cancellation.objects.exists()


@pytest.mark.parametrize("trouble", ["locked", "read_only", "full"])
def test_pages_are_still_shown_to_those_who_are_signed_in(operator, request, trouble):
    request.getfixturevalue(trouble)

    assert operator.get("/").status_code == 200
    assert operator.get("/readyz").status_code == 200


def test_nobody_can_sign_in_meanwhile_and_is_told_why(operator, locked):
    response = Client(raise_request_exception=False).post(
        "/accounts/login/", {"username": "operator", "password": "correct horse 9"}
    )

    assert response.status_code == 503
    assert response["Retry-After"]


def test_once_the_lock_is_gone_a_press_is_saved(operator, sandbox, locked):
    during = operator.post(**PRESS)
    locked.rollback()
    after = operator.post(**PRESS)

    assert (during.status_code, after.status_code) == (503, 302)
    assert Cancellation.objects.count() == 1
