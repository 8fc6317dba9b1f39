"""Streamed downloads: how many at a time, and what they occupy."""

from contextlib import suppress

import pytest
from django.db import connection

from batches.models import Batch
from batches.results.download import BrokenOff
from dashboard import streams
from tests.dashboard.reading import csv_table
from tests.working import read_now

STREAMS = [
    "/batches.csv",
    "/audit.csv",
    "/spend.csv?table=groups",
    "/spend.csv?table=days",
    "/spend.csv?table=batches",
    "/batches/one/results/",
    "/batches/one/results/?format=csv",
    "/batches/one/results/?outcome=errored&format=csv",
    "/batches/one/results/?outcome=errored&format=ids",
]


@pytest.fixture
def lead(sign_in, results_url):
    """A lead's browser, and an ended batch whose results have been read."""
    assert read_now(Batch.objects.get())
    return sign_in("lead", name="ada")


@pytest.mark.parametrize("address", STREAMS)
def test_a_person_may_run_two_downloads_at_a_time(lead, address):
    running = [lead.get(address), lead.get(address)]

    refused = lead.get(address)
    for answer in running:
        answer.getvalue()

    assert [answer.status_code for answer in running] == [200, 200]
    assert refused.status_code == 429
    assert refused["Retry-After"] == "30"
    assert "You have other downloads running" in refused.text
    assert lead.get(address).getvalue()


@pytest.mark.parametrize("address", STREAMS)
def test_one_persons_downloads_do_not_block_another_s(lead, sign_in, address):
    running = [lead.get(address), lead.get(address)]

    answer = sign_in("lead", name="bob").get(address)

    assert answer.status_code == 200
    assert answer.getvalue()
    assert len(running) == 2


def test_pages_keep_threads_however_many_people_download(lead, sign_in):
    others = [sign_in("lead", name=name) for name in ("bob", "eve", "kim")]
    running = [person.get("/batches.csv") for person in (lead, *others) for _ in range(2)]

    codes = [answer.status_code for answer in running]

    assert codes == [200] * streams.MOST_AT_ONCE + [503] * (8 - streams.MOST_AT_ONCE)
    assert running[-1]["Retry-After"] == "30"
    assert "Too many downloads are running" in running[-1].text


@pytest.mark.parametrize("address", STREAMS)
def test_head_does_not_count_as_a_download_and_reads_nothing(lead, sandbox, address):
    running = [lead.get(address), lead.get(address)]
    before = len(sandbox.calls)

    answer = lead.head(address)

    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    assert answer.getvalue() == b""
    assert len(sandbox.calls) == before
    assert len(running) == 2


def test_a_download_that_breaks_off_no_longer_counts(lead, sandbox):
    for _ in range(streams.MOST_PER_PERSON + 1):
        sandbox.fail_next("cut", path="/results")
        answer = lead.get("/batches/one/results/")
        assert answer.status_code == 200
        with suppress(BrokenOff):
            answer.getvalue()

    assert lead.get("/batches/one/results/").getvalue()


@pytest.mark.parametrize("address", STREAMS)
def test_no_proxy_or_browser_keeps_a_download(lead, address):
    answer = lead.get(address)

    assert answer["X-Accel-Buffering"] == "no"
    assert answer["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("address", [*STREAMS, "/spend/focus.csv"])
def test_an_export_opens_no_cursor_at_the_server(lead, address, monkeypatch):
    """A PgBouncer that pools transactions would lose it, and a transaction would stay open."""

    def refuse() -> None:
        raise AssertionError("a cursor was opened at the server")

    monkeypatch.setattr(connection, "chunked_cursor", refuse)

    assert lead.get(address).getvalue()


def exported(answer) -> list[str]:
    return [row.get("api_id") or row["id"] for row in csv_table(answer)]


@pytest.mark.parametrize(
    ("address", "expected"),
    [("/batches.csv", "e d c b a"), ("/spend.csv?table=batches", "a b c d e")],
)
def test_rows_read_in_blocks_are_in_order_and_complete(
    sign_in, row, monkeypatch, address, expected
):
    monkeypatch.setattr("dashboard.exports.ROWS_AT_ONCE", 2)
    one_moment = row("a").created_at
    for api_id in "bcde":
        row(api_id, created_at=one_moment)

    answer = sign_in("lead").get(address)

    assert exported(answer) == expected.split()


def test_a_batch_deleted_during_an_export_is_skipped(sign_in, row, monkeypatch):
    monkeypatch.setattr("dashboard.exports.ROWS_AT_ONCE", 1)
    for api_id in "abc":
        row(api_id)
    answer = sign_in("lead").get("/batches.csv")
    blocks = iter(answer)
    begun = next(filter(None, blocks))

    Batch.objects.filter(api_id="b").delete()

    rest = b"".join(blocks).decode()
    assert begun.startswith(b"\xef\xbb\xbfworkspace,api_id")
    assert [line.split(",")[1] for line in rest.splitlines()] == ["c", "a"]
