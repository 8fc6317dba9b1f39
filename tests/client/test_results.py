"""The results file as it arrives, and what may go wrong on the way."""

import errno

import httpx
import pytest

from batches.client import BatchNotFound, NotTheApi, TryLater, Unreachable
from tests.client.upstream import BATCHES, Upstream, refusal, reply

JSONL = {"content-type": "application/x-jsonl"}


def test_results_are_streamed_raw_as_they_come():
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


def test_only_what_is_asked_for_is_read():
    taken = []

    def pieces():
        for number in range(1000):
            taken.append(number)
            yield b"line\n"

    upstream = Upstream(reply(content=pieces(), headers=JSONL))

    with upstream.client().stream_results("msgbatch_1") as chunks:
        next(chunks)

    assert len(taken) < 10


def test_a_cut_stream_is_unreachable_and_not_begun_again():
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


def test_a_cut_stream_names_the_answer_that_was_cut():
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


def test_the_caller_s_own_error_passes_through_and_the_answer_is_closed():
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
def test_opening_is_tried_again_and_the_answer_to_each_try_is_left_behind():
    upstream = Upstream(refusal(529), refusal(429), reply(content=b"{}\n", headers=JSONL))

    with upstream.client().stream_results("msgbatch_1") as chunks:
        assert b"".join(chunks) == b"{}\n"

    assert len(upstream.requests) == 3


def test_results_that_are_not_there_yet_are_not_found():
    words = "Message Batch msgbatch_1 has no available results."
    upstream = Upstream(refusal(404, "not_found_error", words, x_should_retry="false"))

    with pytest.raises(BatchNotFound, match="no available results"):
        upstream.client().stream_results("msgbatch_1").__enter__()


def test_a_long_wait_for_results_is_handed_to_the_caller():
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
def test_what_is_no_results_file_is_not_the_api(answer):
    with pytest.raises(NotTheApi):
        Upstream(answer).client().stream_results("msgbatch_1").__enter__()
