"""How long a client may take, how much it may send, and how its connection ends."""

import socket
import time
from contextlib import ExitStack

import pytest
from gunicorn.config import Config

from dashboard.server import connection, worker
from dashboard.server.framing import LARGEST_BODY_BYTES, LARGEST_HEAD_BYTES, Stage
from tests.processes.crew import wait_until
from tests.server.conftest import read_all, read_until
from tests.server.echo import PIECE, PIECES, pieces_closed

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PAGE = b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
# The poller does some things once a second, so a little later than they are due.
SOON = 5


@pytest.fixture
def impatient(monkeypatch) -> None:
    """All time limits of the worker are short."""
    for stage in worker.SECONDS:
        monkeypatch.setitem(worker.SECONDS, stage, 0.1)
    for module, name in [
        (worker, "STALL_SECONDS"), (connection, "STALL_SECONDS"), (worker, "LINGER_SECONDS"),
    ]:  # fmt: skip
        monkeypatch.setattr(module, name, 0.1)


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        pytest.param(GET[:-2], b"headers took too long", id="head"),
        pytest.param(POST + b"Content-Length: 9\r\n\r\nabc", b"took too long", id="body"),
        pytest.param(POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\na", b"too long", id="chunk"),
    ],
)
def test_a_request_that_does_not_end_in_time_gets_a_408(impatient, serve, start, sentence):
    with serve().connect() as client:
        client.sendall(start)
        answer = read_all(client)

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"Connection: close" in answer
    assert sentence in answer


def test_dripping_a_head_gains_no_time(monkeypatch, serve):
    monkeypatch.setitem(worker.SECONDS, Stage.HEAD, 1)
    began = time.monotonic()

    with serve().connect() as client:
        client.settimeout(0.1)
        answer = b""
        while not answer:
            client.send(b"a")
            try:
                answer = client.recv(100)
            except TimeoutError:
                assert time.monotonic() - began < SOON

    assert b" 408 " in answer


@pytest.mark.parametrize("start", [b"", GET])
def test_a_silent_connection_is_closed_without_a_response(impatient, serve, start):
    server = serve(keepalive=1)

    with server.connect() as client:
        client.sendall(start)
        if start:
            read_until(client, b"}")
        assert read_all(client) == b""


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X: %s\r\n" % (b"a" * 8000) * 9, 431),
        (POST + b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY_BYTES + 1), 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % LARGEST_HEAD_BYTES**2, 413),
        (POST + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n", 413),
    ],
)
def test_a_request_that_is_too_large_is_refused_before_it_has_arrived(serve, request_bytes, status):
    with serve().connect() as client:
        client.sendall(request_bytes)
        answer = read_all(client)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in answer


def test_a_client_that_keeps_sending_after_a_refusal_still_gets_it(serve):
    with serve().connect() as client:
        client.sendall(POST + b"Content-Length: 3000000\r\n\r\n")
        client.sendall(b"a" * 3_000_000)
        answer = read_all(client)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_the_largest_body_arrives_complete(serve):
    body = b"a" * LARGEST_BODY_BYTES

    answer = serve().exchange(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    assert answer.count(b"a") > LARGEST_BODY_BYTES


def test_new_clients_get_in_when_silent_ones_fill_the_process(serve):
    server = serve(worker_connections=20)
    silent = [server.connect() for _ in range(40)]

    answers = [server.exchange(GET) for _ in range(30)]

    assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
    assert is_closed(silent[0])
    assert server.worker.nr_conns <= 20
    for client in silent:
        client.close()


def test_a_long_response_waits_for_a_slow_reader_and_arrives_complete(serve):
    with serve(send_bytes=4096).connect(receive_bytes=2048) as client:
        client.sendall(b"GET /pieces HTTP/1.0\r\n\r\n")
        answer = read_all(client)

    assert answer.partition(b"\r\n\r\n")[2] == PIECE * PIECES


def test_a_client_that_stops_reading_a_long_response_gets_a_reset(impatient, serve):
    server = serve(send_bytes=4096)
    pieces_closed.clear()

    with server.connect(receive_bytes=2048) as client:
        client.sendall(b"GET /pieces HTTP/1.0\r\n\r\n")
        client.recv(1)
        wait_until(lambda: server.worker.nr_conns == 0, seconds=SOON, what="the cut")
        with pytest.raises(ConnectionResetError):
            read_all(client)


def kept_of(server) -> list[int]:
    """How many bytes of each unread response the poller keeps."""
    kept = [len(conn.sock.unsent) for conn in list(server.worker.watched)]
    return [count for count in kept if count]


def test_the_rest_of_a_response_occupies_no_thread_and_arrives_complete(serve):
    server = serve(threads=1, send_bytes=4096)
    with server.connect(receive_bytes=2048) as slow:
        slow.sendall(PAGE + GET)
        wait_until(lambda: kept_of(server), seconds=SOON, what="the rest of an answer")

        beside = server.exchange(GET)
        rest = read_until(slow, b"}")

    assert beside.startswith(b"HTTP/1.1 200")
    assert rest.count(b"HTTP/1.1 200") == 2
    assert PIECE * 10 in rest


def test_a_client_that_does_not_read_the_rest_in_time_gets_a_reset(impatient, serve):
    server = serve(send_bytes=4096)
    with server.connect(receive_bytes=2048) as client:
        client.sendall(PAGE)
        client.recv(1)
        wait_until(lambda: server.worker.nr_conns == 0, seconds=SOON, what="the cut")

        with pytest.raises(ConnectionResetError):
            read_all(client)


def test_some_unread_responses_are_dropped_when_memory_runs_short(monkeypatch, serve):
    monkeypatch.setattr(worker, "MOST_HELD_BYTES", 2_000_000)
    server = serve(send_bytes=4096)
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect(receive_bytes=2048)) for _ in range(5)]

        for client in clients:
            client.sendall(PAGE)
            client.recv(1)

        # Three of five responses of 0.66 MB fit.
        wait_until(lambda: server.worker.nr_conns == 3, seconds=SOON, what="the cuts")
        assert sum(is_cut(client) for client in clients) == 2


def test_some_unfinished_requests_are_dropped_when_memory_runs_short(monkeypatch, serve):
    monkeypatch.setattr(worker, "MOST_HELD_BYTES", 1_000_000)
    server = serve()
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(5)]

        for client in clients:
            client.sendall(POST + b"Content-Length: 500000\r\n\r\n" + b"a" * 300_000)

        # Three of five requests of 0.3 MB fit.
        wait_until(lambda: sum(map(is_closed, clients)) == 2, seconds=SOON, what="the cuts")
        assert server.worker.nr_conns == 3


def is_cut(client: socket.socket) -> bool:
    try:
        read_until(client, PIECE)
    except ConnectionResetError:
        return True
    return False


def test_a_client_that_never_closes_delays_no_one(serve):
    server = serve(threads=1)
    clients = [server.connect() for _ in range(5)]
    began = time.monotonic()

    for client in clients:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    answers = [read_all(client) for client in clients]

    # gunicorn's own worker waits 2 s for each of them to close, one after the other.
    assert time.monotonic() - began < 2
    assert all(b" 200 OK" in answer for answer in answers)
    for client in clients:
        client.close()


def test_a_broken_response_never_looks_complete(serve):
    with serve().connect() as client:
        client.sendall(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = read_all(client)

    assert b"the first half" in answer
    assert not answer.endswith(b"0\r\n\r\n")


def test_a_stopping_worker_answers_complete_requests_and_closes_silent_connections(serve):
    server = serve()
    with server.connect() as silent, server.connect() as kept, server.connect() as late:
        kept.sendall(GET)
        read_until(kept, b"}")
        late.sendall(GET[:-2])
        wait_until(lambda: server.worker.nr_conns == 3, seconds=SOON, what="all three")
        began = time.monotonic()

        server.worker.handle_exit(None, None)
        late.sendall(GET[-2:])
        answer = read_all(late)

        assert b" 200 OK" in answer
        assert b"Connection: close" in answer
        assert read_all(silent) == read_all(kept) == b""
        assert time.monotonic() - began < SOON


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("certfile", __file__),
        ("proxy_protocol", "v1"),
        ("protocol", "uwsgi"),
        ("http_protocols", "h1,h2"),
    ],
)
def test_settings_that_the_poller_does_not_support_are_refused_at_the_start(name, value):
    cfg = Config()
    cfg.set(name, value)

    with pytest.raises(SystemExit, match=r"speaks HTTP/1\.1 only"):
        worker.WebWorker.check_config(cfg, None)
