"""What people and probes see while the database is not available."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import InternalError, OperationalError, connection
from django.test import Client

from dashboard import errors, probes


@pytest.fixture
def operator(committed, sign_in) -> Client:
    """A signed-in browser that gets error pages instead of exceptions."""
    operator = sign_in("operator")
    operator.raise_request_exception = False
    return operator


@pytest.fixture
def unreachable(operator, tmp_path) -> Iterator[Client]:
    """The same, without a database: the file is missing, or the server is stopped."""
    nowhere = {"NAME": tmp_path / "gone" / "board.db", "OPTIONS": {"host": str(tmp_path)}}
    changed = "NAME" if connection.vendor == "sqlite" else "OPTIONS"
    connection.close()
    # Undone before the fixtures that clear the database.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connection.settings_dict, changed, nowhere[changed])
        yield operator
    connection.close()


@pytest.mark.parametrize("address", ["/", "/live/", "/spend/", "/accounts/login/"])
def test_a_page_without_its_database_says_so_and_when_to_come_back(unreachable, address):
    response = unreachable.get(address)

    assert response.status_code == 503
    assert response["Retry-After"]
    assert "The database is not available right now" in response.text
    assert "Nothing was changed." in response.text


def test_an_htmx_request_gets_the_same_message_for_the_dialog(unreachable):
    response = unreachable.post("/batches/one/cancel/", headers={"HX-Request": "true"})

    assert response.status_code == 503
    assert "<h1>The database is not available right now</h1>" in response.text
    assert "Your request was probably not saved." in response.text


def test_a_probe_with_a_session_is_told_that_the_database_does_not_answer(unreachable, monkeypatch):
    monkeypatch.setattr(probes, "fitting", set())

    ready, alive = unreachable.get("/readyz"), unreachable.get("/healthz")

    assert ready.status_code == 503
    assert ready.text == "not ready: the database does not answer\n"
    assert alive.status_code == 200


def test_a_process_that_was_ready_notices_that_the_database_has_gone(unreachable, monkeypatch):
    monkeypatch.setattr(probes, "fitting", {"default"})

    assert unreachable.get("/readyz").status_code == 503


def test_the_page_comes_back_with_the_database(operator):
    connection.close()

    assert operator.get("/").status_code == 200


def test_a_postgres_that_only_reads_for_now_is_an_outage():
    error = InternalError("cannot execute INSERT in a read-only transaction")
    error.__cause__ = psycopg.errors.ReadOnlySqlTransaction()

    assert errors.is_outage(error)
    assert not errors.is_outage(InternalError("something else"))


def test_a_mistake_in_sql_is_not_an_outage(db):
    with pytest.raises(Exception, match="no_such_table") as caught, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")

    assert not errors.is_outage(caught.value)
    assert errors.is_outage(OperationalError("server closed the connection"))
