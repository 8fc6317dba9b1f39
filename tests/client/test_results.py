"""Streaming the results file, and how it can fail."""

import errno

import httpx
import pytest

from batches.client import BatchNotFound, NotTheApi, TryLater, Unreachable
from tests.client.upstream import BATCHES, Upstream, refusal, reply

JSONL = {"content-type": "application/x-jsonl"}


def test_results_are_streamed_unchanged():
    pieces = [b'{"custom', b'_id": "\xe2\x80\xa8"}\n', b"\xff not even UTF-8"]
    upstream = Upstream(reply(content=iter(pieces), headers=JSONL))

    with upstream.client().stream_results("msgbatch_1") as chunks:
        received = list(chunks)

    (request,) = upstream.requests
    assert (request.method, request.url.path) == ("GET", f"{BATCHES}/msgbatch_1/results")
    assert received == pieces


@pytest.mark.parametrize("content", [b"", iter([]), iter([b"", b""])])
def test_an_empty_file_has_no_pieces(content):
    upstream = Upstream(reply(content=content, headers=JSONL))

    with upstream.client().stream_results("msgbatch_1") as chunks:
        assert list(chunks) == []


def test_only_the_requested_pieces_are_read():
    sent = []

    def pieces():
        for number in range(1000):
            sent.append(number)
            yield b"line\n"

    upstream = Upstream(reply(content=pieces(), headers=JSONL))

    with upstream.client().stream_results("msgbatch_1") as chunks:
        next(chunks)

    assert len(sent) < 10


def test_a_stream_that_breaks_off_raises_an_error_and_is_not_retried():
    def cut():
        yield b"one\n"
        raise httpx.ReadError("connection reset")

    upstream = Upstream(reply(content=cut(), headers=JSONL))
    received = []

    with (
        pytest.raises(Unreachable, match="connection reset"),
        upstream.client().stream_results("msgbatch_1") as chunks,
    ):
        received.extend(chunks)

    assert received == [b"one\n"]
    assert len(upstream.requests) == 1


def test_a_stream_that_breaks_off_names_its_request_id():
    def cut():
        yield b"one\n"
        raise httpx.ReadError("connection reset")

    upstream = Upstream(reply(content=cut(), headers=JSONL | {"request-id": "req_cut"}))

    with (
        pytest.raises(Unreachable) as caught,
        upstream.client().stream_results("msgbatch_1") as chunks,
    ):
        list(chunks)

    assert caught.value.request_id == "req_cut"
    assert "(request ID req_cut)" in str(caught.value)


def test_the_callers_error_is_raised_and_the_answer_closed():
    closed = []

    class Watched(httpx.SyncByteStream):
        def __iter__(self):
            yield b"one\n"

        def close(self):
            closed.append(True)

    upstream = Upstream(reply(stream=Watched(), headers=JSONL))
    full = OSError(errno.ENOSPC, "No space left on device")

    def write_to_a_full_disk():
        with upstream.client().stream_results("msgbatch_1") as chunks:
            next(chunks)
            raise full

    with pytest.raises(OSError, match="No space left") as caught:
        write_to_a_full_disk()

    assert caught.value is full
    assert closed


@pytest.mark.usefixtures("no_waits")
def test_opening_is_retried():
    upstream = Upstream(refusal(529), refusal(429), reply(content=b"{}\n", headers=JSONL))

    with upstream.client().stream_results("msgbatch_1") as chunks:
        assert b"".join(chunks) == b"{}\n"

    assert len(upstream.requests) == 3


def test_results_that_do_not_exist_yet_are_not_found():
    message = "Message Batch msgbatch_1 has no available results."
    upstream = Upstream(refusal(404, "not_found_error", message, x_should_retry="false"))

    with pytest.raises(BatchNotFound, match="no available results"):
        upstream.client().stream_results("msgbatch_1").__enter__()


def test_a_long_wait_for_results_is_raised():
    upstream = Upstream(refusal(429, retry_after="120"))

    with pytest.raises(TryLater) as caught:
        upstream.client().stream_results("msgbatch_1").__enter__()

    assert caught.value.retry_after == 120.0


@pytest.mark.parametrize(
    "answer",
    [
        reply(text="<html>Sign in</html>", headers={"content-type": "text/html"}),
        reply(302, headers={"location": "https://elsewhere.test/"}),
    ],
    ids=["a page", "a redirect"],
)
def test_an_answer_that_is_not_a_results_file_is_not_the_api(answer):
    with pytest.raises(NotTheApi):
        Upstream(answer).client().stream_results("msgbatch_1").__enter__()
