"""What needs a real socket: refused, silent, slow and broken connections."""

import json
import logging
import time
import traceback

import pytest

from batches.client import ApiError, BatchClient, BatchNotFound, NotTheApi, Unreachable
from tests.client.loopback import head
from tests.client.upstream import KEY, batch_json

BODY = json.dumps(batch_json()).encode()
WHOLE = head("content-type: application/json", f"content-length: {len(BODY)}") + BODY
CHUNKED = head("content-type: application/x-jsonl", "transfer-encoding: chunked")


def in_turn(*answers):
    """A script that sends each connection the next of these answers and closes it."""
    remaining = list(answers)
    return lambda connection, stop: connection.sendall(remaining.pop(0))


def test_a_complete_answer_is_read(loopback):
    with BatchClient(loopback(in_turn(WHOLE)), KEY) as client:
        assert client.retrieve("msgbatch_1").raw == batch_json()


def test_a_refused_connection_is_unreachable(closed_address):
    with (
        BatchClient(closed_address, KEY, attempts=1) as client,
        pytest.raises(Unreachable, match="refused"),
    ):
        client.list_page()


def test_a_silent_server_is_abandoned_at_the_deadline(loopback):
    address = loopback(lambda connection, stop: stop.wait())
    started = time.monotonic()

    with (
        BatchClient(address, KEY) as client,
        pytest.raises(Unreachable, match=r"did not finish within 0\.3 s"),
    ):
        client.cancel("msgbatch_1", within=0.3)

    assert time.monotonic() - started < 3


def test_a_server_that_sends_no_results_is_abandoned_at_the_deadline(loopback):
    address = loopback(lambda connection, stop: stop.wait())
    started = time.monotonic()

    with (
        BatchClient(address, KEY, total_seconds=0.3) as client,
        pytest.raises(Unreachable),
        client.stream_results("msgbatch_1"),
    ):
        pytest.fail("nothing should be opened")

    assert time.monotonic() - started < 3


def test_a_slow_answer_is_abandoned_at_the_deadline(loopback):
    def drip(connection, stop):
        connection.sendall(head("content-length: 100000"))
        while not stop.wait(0.02):
            connection.sendall(b" ")

    started = time.monotonic()

    with (
        BatchClient(loopback(drip), KEY) as client,
        pytest.raises(Unreachable, match=r"did not finish within 0\.3 s"),
    ):
        client.retrieve("msgbatch_1", within=0.3)

    assert time.monotonic() - started < 3


def test_results_may_take_longer_than_a_call(loopback):
    def slowly(connection, stop):
        connection.sendall(CHUNKED + b"4\r\none\n\r\n")
        stop.wait(0.5)
        connection.sendall(b"4\r\ntwo\n\r\n0\r\n\r\n")

    with (
        BatchClient(loopback(slowly), KEY, total_seconds=0.3) as client,
        client.stream_results("msgbatch_1") as chunks,
    ):
        assert b"".join(chunks) == b"one\ntwo\n"


@pytest.mark.parametrize(
    "cut",
    [b"", WHOLE[:20], WHOLE[:-10], head("transfer-encoding: chunked") + b"5\r\n{"],
    ids=["no answer", "in the head", "in the body", "in a chunk"],
)
def test_a_cut_answer_is_unreachable(loopback, cut):
    with (
        BatchClient(loopback(in_turn(cut)), KEY, attempts=1) as client,
        pytest.raises(Unreachable) as caught,
    ):
        client.retrieve("msgbatch_1")

    assert not isinstance(caught.value, NotTheApi)


@pytest.mark.usefixtures("no_waits")
def test_a_cancel_whose_answer_was_lost_is_retried(loopback):
    with BatchClient(loopback(in_turn(b"", WHOLE[:-10], WHOLE)), KEY) as client:
        assert client.cancel("msgbatch_1").id == "msgbatch_1"


@pytest.mark.parametrize(
    "cut",
    [
        CHUNKED + b"4\r\none\n\r\n",
        head("content-type: application/x-jsonl", "content-length: 50") + b"one\n",
    ],
    ids=["chunked", "with a length"],
)
def test_results_that_break_off_raise_an_error_after_their_beginning(loopback, cut):
    received = []

    with (
        BatchClient(loopback(in_turn(cut)), KEY) as client,
        pytest.raises(Unreachable, match="cut short"),
        client.stream_results("msgbatch_1") as chunks,
    ):
        received.extend(chunks)

    assert b"".join(received) == b"one\n"


def test_a_client_can_make_several_calls(loopback):
    with BatchClient(loopback(in_turn(WHOLE, WHOLE)), KEY) as client:
        first, second = client.retrieve("msgbatch_1"), client.retrieve("msgbatch_1")

    assert first == second


def test_an_answer_that_is_not_http_is_unreachable_and_its_echo_not_shown(loopback):
    echo = f"you sent {KEY}\r\n\r\n".encode()

    with (
        BatchClient(loopback(in_turn(echo)), KEY, attempts=1) as client,
        pytest.raises(Unreachable) as caught,
    ):
        client.retrieve("msgbatch_1")

    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_the_key_is_in_no_log_of_any_library(loopback, caplog):
    caplog.set_level(logging.DEBUG)
    refused = head("content-length: 2", status="404 Not Found") + b"{}"

    with BatchClient(loopback(in_turn(WHOLE, refused)), KEY) as client:
        client.retrieve("msgbatch_1")
        with pytest.raises(BatchNotFound):
            client.cancel("msgbatch_1")

    assert "msgbatch_1" in caplog.text
    assert KEY not in caplog.text


def test_a_key_echoed_in_the_head_is_in_no_log_of_any_library(loopback, caplog):
    caplog.set_level(logging.DEBUG)
    echo = head(f"x-you-sent: {KEY}", "content-length: 2", status=f"404 No {KEY}") + b"{}"

    with BatchClient(loopback(in_turn(echo)), KEY) as client, pytest.raises(BatchNotFound):
        client.retrieve("msgbatch_1")

    assert "404" in caplog.text
    assert KEY not in caplog.text


def test_an_unknown_host_name_is_an_api_error():
    # Longer than any name in the DNS, so no resolver is called.
    address = f"http://{'.'.join(['a' * 60] * 5)}.test"

    with BatchClient(address, KEY, attempts=1) as client, pytest.raises(ApiError):
        client.list_page()
