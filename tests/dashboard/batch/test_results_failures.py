"""Downloads that fail or break off, and clients that leave."""

import re

import httpx
import pytest
from django.core.signals import request_finished
from django.db import close_old_connections, connection
from django.utils import timezone

from batches import connect
from batches.results.download import BrokenOff
from dashboard import streams
from tests.working import read_now

pytestmark = pytest.mark.usefixtures("no_waits")


def hang_up(answer) -> None:
    """Closes the answer as a server does, but not the connection, which is in a transaction."""
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


@pytest.mark.parametrize("query", [{}, {"outcome": "succeeded"}, {"format": "csv"}])
@pytest.mark.parametrize("fault", ["cut", "short", "half-line"])
def test_an_incomplete_file_breaks_the_download_off(sign_in, sandbox, results_url, fault, query):
    sandbox.fail_next(fault, path="/results")

    answer = sign_in("viewer").get(results_url, query)

    assert answer.status_code == 200
    with pytest.raises(BrokenOff):
        answer.getvalue()


def test_a_file_with_too_many_lines_breaks_the_download_off(sign_in, sandbox, mirrored, caplog):
    mirrored("long", status="ended", requests=300)
    sandbox.fail_next("extra-line", path="/results")

    answer = sign_in("viewer").get("/batches/long/results/")

    with pytest.raises(BrokenOff, match="more lines than the batch has requests"):
        answer.getvalue()
    assert "results download broke off" in caplog.text
    assert "'batch': 'long'" in caplog.text


def test_half_a_line_at_the_end_breaks_the_download_off(sign_in, answering):
    line = b'{"custom_id":"a","result":{"type":"canceled"}}\n'
    batch = answering([line, line[:20]], requests=1)

    answer = sign_in("viewer").get(f"{batch.get_absolute_url()}results/")

    with pytest.raises(BrokenOff, match="in the middle of a line"):
        answer.getvalue()


def test_a_file_cut_before_its_first_line_answers_with_a_page(sign_in, answering):
    batch = answering([b'{"custom', httpx.ReadError("gone")], requests=2)

    answer = sign_in("viewer").get(f"{batch.get_absolute_url()}results/")

    assert answer.status_code == 502
    assert "The results can’t be downloaded right now" in answer.text


def test_an_empty_file_answers_with_a_page(sign_in, answering):
    batch = answering(b"", requests=2)

    answer = sign_in("viewer").get(f"{batch.get_absolute_url()}results/")

    assert answer.status_code == 502
    assert "ended after 0 lines" in answer.text


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("500", 503, "Internal server error"),
        ("429", 503, "exceeded your rate limit"),
        ("reset", 502, "Anthropic&#x27;s API did not answer"),
        ("401", 502, "API key is invalid"),
        ("404", 404, "They may appear a little after the batch ends"),
        ("html", 502, "does not answer as the Batches API does"),
    ],
)
def test_an_api_error_answers_with_a_page_that_quotes_it(
    sign_in, sandbox, results_url, fault, status, words
):
    sandbox.fail_next(fault, times=3, path="/results")

    answer = sign_in("viewer").get(results_url)

    assert answer.status_code == status
    assert words in answer.text


def test_the_page_shows_the_request_id(sign_in, sandbox, results_url):
    sandbox.fail_next("401", path="/results")

    answer = sign_in("viewer").get(results_url)

    assert re.search(r"request ID req_\w+", answer.text)


def test_a_workspace_without_a_key_says_so(sign_in, workspace, results_url):
    workspace.api_key = ""
    workspace.save()

    answer = sign_in("viewer").get(results_url)

    assert answer.status_code == 503
    assert "has no API key" in answer.text


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"results_state": "lost"}, "were not read in time"),
        ({"archived_at": timezone.now()}, "29 days after a batch is created"),
        ({"deleted_upstream_at": timezone.now()}, "deleted upstream"),
    ],
)
def test_unavailable_results_answer_with_a_page_and_no_call(sign_in, sandbox, row, columns, words):
    row("two", processing_status="ended", **columns)

    answer = sign_in("viewer").get("/batches/two/results/")

    assert answer.status_code == 404
    assert words in answer.text
    assert sandbox.calls == []


def test_a_running_batch_has_no_results_and_makes_no_call(sign_in, sandbox, mirrored):
    mirrored("two")
    before = len(sandbox.calls)

    answer = sign_in("viewer").get("/batches/two/results/")

    assert answer.status_code == 404
    assert "no results yet" in answer.text
    assert len(sandbox.calls) == before


@pytest.mark.parametrize(
    "query",
    [
        {"outcome": "a b"},
        {"outcome": "x" * 61},
        {"outcome": "é"},
        {"outcome": "A"},
        {"format": "xml"},
    ],
)
def test_an_invalid_download_answers_with_a_page(sign_in, results_url, query):
    answer = sign_in("viewer").get(results_url, query)

    assert answer.status_code == 400
    assert "Unknown download" in answer.text


def test_an_unknown_outcome_is_answered_with_the_known_ones(sign_in, answering):
    batch = answering(b'{"custom_id":"a","result":{"type":"withheld"}}\n', requests=1)
    results_url = f"{batch.get_absolute_url()}results/"
    assert read_now(batch)
    browser = sign_in("viewer")

    typo = browser.get(results_url, {"outcome": "erored"})
    right = browser.get(results_url, {"outcome": "withheld", "format": "ids"})

    assert typo.status_code == 400
    assert "succeeded, errored, canceled, expired, withheld" in typo.text
    assert right.getvalue() == b"a\n"


class Endless(httpx.SyncByteStream):
    """An endless results file that knows whether it was closed."""

    is_wanted = True

    def __iter__(self):
        while True:
            yield b'{"custom_id":"a","result":{"type":"canceled"}}\n' * 10

    def close(self) -> None:
        self.is_wanted = False


@pytest.mark.parametrize("blocks_read", [0, 3])
@pytest.mark.parametrize("query", [{}, {"outcome": "canceled"}, {"format": "csv"}])
def test_a_client_that_leaves_closes_the_call(sign_in, row, monkeypatch, blocks_read, query):
    file = Endless()
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=file))
    monkeypatch.setattr(connect, "transport", lambda: transport)
    row("two", processing_status="ended", succeeded=10**6)
    answer = sign_in("viewer").get("/batches/two/results/", query)
    blocks = iter(answer)
    for _ in range(blocks_read):
        next(blocks)
    assert file.is_wanted

    hang_up(answer)

    assert not file.is_wanted


def test_proxies_and_browsers_must_not_cache_results(sign_in, results_url):
    answer = sign_in("viewer").get(results_url)

    assert answer["X-Accel-Buffering"] == "no"
    assert answer["Cache-Control"] == "private, no-store"


@pytest.mark.django_db(transaction=True)
def test_no_database_connection_is_held_while_the_file_passes(committed, sign_in, results_url):
    blocks = iter(sign_in("viewer").get(results_url))

    next(blocks)

    assert connection.connection is None


def test_http_1_0_is_refused(sign_in, sandbox, results_url):
    before = len(sandbox.calls)

    answer = sign_in("viewer").get(results_url, SERVER_PROTOCOL="HTTP/1.0")

    assert answer.status_code == 505
    assert "proxy_http_version 1.1" in answer.text
    assert len(sandbox.calls) == before


def test_a_page_instead_of_a_file_does_not_count_as_a_download(sign_in, sandbox, results_url):
    browser = sign_in("viewer")
    for _ in range(streams.MOST_PER_PERSON + 1):
        sandbox.fail_next("401", path="/results")
        assert browser.get(results_url).status_code == 502

    assert browser.get(results_url).getvalue()


def test_thousands_of_lines_are_never_in_memory_together(sign_in, sandbox, mirrored):
    mirrored("big", status="ended", requests=3_000)
    answer = sign_in("viewer").get("/batches/big/results/")

    sizes = [len(block) for block in answer]

    assert sum(sizes) > 1_000_000
    assert max(sizes) < 300_000
