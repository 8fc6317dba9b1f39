"""Calls end by their deadline, however slowly an answer arrives."""

import json
import socket
import threading
import time

import httpcore
import httpx
import pytest

from batches.client import BatchClient, Unreachable, http
from batches.client.network import NetworkTransport
from batches.client.retries import Deadline, time_for
from tests.client.loopback import head, serving
from tests.client.upstream import KEY, batch_json

CHUNKED = head("content-type: application/x-jsonl", "transfer-encoding: chunked")


def drip(start, piece):
    """A script that sends the start of an answer, then this piece every few milliseconds."""

    def send(connection, stop):
        connection.sendall(start)
        while not stop.wait(0.01):
            connection.sendall(piece)

    return send


DRIPS = {
    "of the status line": drip(b"HTTP/1.1 200 ", b"O"),
    "of a header": drip(b"HTTP/1.1 200 OK\r\nx-a: ", b"b"),
    "of headers": drip(b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n"),
    "of informational answers": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "of a body": drip(head("content-length: 100000"), b" "),
    "of an error's body": drip(head("content-length: 100000", status="400 No"), b" "),
    "of a chunk's size": drip(CHUNKED, b"0"),
    "of a chunk's extension": drip(CHUNKED + b"1;", b"x"),
}
OPENING = ["of the status line", "of a header", "of headers", "of informational answers"]
STALLING = ["of a chunk's size", "of a chunk's extension"]


def seconds_of(call):
    started = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        call()
    assert "did not finish within" in str(caught.value) or "in time" in str(caught.value)
    return time.monotonic() - started


@pytest.mark.parametrize("script", DRIPS.values(), ids=DRIPS.keys())
@pytest.mark.parametrize("name", ["retrieve", "cancel"])
def test_a_slow_answer_ends_at_the_deadline(loopback, name, script):
    with BatchClient(loopback(script), KEY) as client:
        call = getattr(client, name)
        assert seconds_of(lambda: call("msgbatch_1", within=0.3)) < 3


@pytest.mark.parametrize("script", OPENING)
def test_opening_results_ends_at_the_deadline(loopback, script):
    with BatchClient(loopback(DRIPS[script]), KEY) as client:
        opening = client.stream_results("msgbatch_1", within=0.3)
        assert seconds_of(opening.__enter__) < 3


@pytest.mark.parametrize("script", STALLING)
def test_results_without_a_complete_piece_end_although_bytes_arrive(loopback, script, monkeypatch):
    monkeypatch.setattr(http, "STALL_SECONDS", 0.3)

    with (
        BatchClient(loopback(DRIPS[script]), KEY) as client,
        client.stream_results("msgbatch_1") as chunks,
    ):
        assert seconds_of(lambda: list(chunks)) < 3


def test_a_flood_of_informational_answers_ends_at_the_deadline(loopback):
    def flood(connection, stop):
        while not stop.is_set():
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)

    with BatchClient(loopback(flood), KEY) as client:
        assert seconds_of(lambda: client.retrieve("msgbatch_1", within=0.3)) < 3


def test_a_request_that_is_not_read_ends_at_the_deadline(loopback):
    address = loopback(lambda connection, stop: stop.wait())
    transport = NetworkTransport(httpx.URL(address))
    started = time.monotonic()

    with (
        httpx.Client(transport=transport) as client,
        Deadline(0.3).bounding(),
        pytest.raises(httpcore.WriteTimeout),
    ):
        client.post(address, content=b"x" * 32 * 2**20)

    assert time.monotonic() - started < 3


def test_a_tls_handshake_without_an_answer_ends_at_the_deadline(loopback):
    # The server waits for the end of a request's head, which a TLS client never sends.
    stop = threading.Event()
    address, thread = serving(lambda connection, stop: None, stop)

    try:
        with BatchClient(address.replace("http:", "https:"), KEY) as client:
            assert seconds_of(lambda: client.retrieve("msgbatch_1", within=0.3)) < 3
    finally:
        stop.set()
        thread.join(timeout=10)


def test_many_addresses_share_the_time_limit(monkeypatch):
    # Addresses for documentation (RFC 5737). Nothing is sent to them.
    tried = []
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{n}", 80)) for n in range(200)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: found)

    def silent(address, timeout, **options):
        tried.append(timeout)
        threading.Event().wait(timeout=min(timeout, 0.1))
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", silent)

    with BatchClient("http://many.test", KEY) as client:
        assert seconds_of(lambda: client.retrieve("msgbatch_1", within=0.3)) < 3
    assert len(tried) < 10
    assert max(tried) <= 0.3


def test_a_connection_is_reused(loopback):
    body = json.dumps(batch_json()).encode()
    answer = head(f"content-length: {len(body)}") + body
    connections = []

    def serve(connection, stop):
        connections.append(connection)
        connection.sendall(answer)
        while connection.recv(4096):
            connection.sendall(answer)

    with BatchClient(loopback(serve), KEY) as client:
        for _ in range(3):
            client.retrieve("msgbatch_1")

    assert len(connections) == 1


def test_threads_do_not_share_their_deadlines():
    seen = []

    with Deadline(0).bounding():
        thread = threading.Thread(target=lambda: seen.append(time_for(60)))
        thread.start()
        thread.join()
        assert time_for(60) <= 0

    assert seen == [60]
    assert time_for(60) == 60


def test_the_earlier_of_limit_and_deadline_applies(clock):
    with Deadline(10).bounding():
        clock.forward(4)

        assert (time_for(60), time_for(5), time_for(None)) == (6, 5, 6)
