"""The worker responds as gunicorn's own does, however a request is split into pieces."""

import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.server.connection import ClientSocket
from tests.server.conftest import read_all, read_until

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /form HTTP/1.1\r\nHost: a\r\n"
TE = b"Transfer-Encoding: chunked\r\n"
CHUNKED = POST + TE + b"\r\n4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\nT: u\r\n\r\n"
LENGTH = POST + b"Content-Length: 7\r\n\r\nabcdefg"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
REQUESTS = {
    "get": GET,
    "head": b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    "http 1.0": b"GET / HTTP/1.0\r\n\r\n",
    "http 1.0 that stays": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET,
    "close": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET,
    "post": LENGTH,
    "chunks": CHUNKED,
    "no length": b"GET /no-length HTTP/1.1\r\nHost: a\r\n\r\n",
    "no length over http 1.0": b"GET /no-length HTTP/1.0\r\n\r\n",
    "pipelined": GET + LENGTH + CHUNKED + GET,
    "body that is not read": LENGTH.replace(b"/form", b"/unread") + GET,
    "https before a proxy": b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n",
    "broken": b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n" + GET,
    "empty line first": b"\r\n" + GET,
}
REFUSED = {
    "length and chunks": (POST + b"Content-Length: 6\r\n" + TE + b"\r\n0\r\n\r\n", 400),
    "chunks and length": (POST + TE + b"Content-Length: 6\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 400),
    "list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\nabcde", 400),
    "signed length": (POST + b"Content-Length: +5\r\n\r\nabcde", 400),
    "negative length": (POST + b"Content-Length: -5\r\n\r\nabcde", 400),
    "blank before the colon": (POST + b"Content-Length : 5\r\n\r\nabcde", 400),
    "folded length": (POST + b"X: a\r\n Content-Length: 5\r\n\r\nabcde", 400),
    "unknown coding": (POST + b"Transfer-Encoding: cow\r\n\r\n", 501),
    "chunked twice": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked not last": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    "chunked over http 1.0": (CHUNKED.replace(b"1.1", b"1.0"), 400),
    "line feed ends the line": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "line feed in the head": (b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "no name": (b"GET / HTTP/1.1\r\n: a\r\n\r\n", 400),
    "long target": (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "long field": (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    "many fields": (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431),
    "expects what is not there": (POST + b"Expect: rain\r\nContent-Length: 5\r\n\r\nabcde", 417),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_responses_are_the_same_as_gunicorns_own_byte_for_byte(ours, plain, name):
    answer = ours.exchange(REQUESTS[name])

    assert answer.startswith(b"HTTP/1.")
    assert answer == plain.exchange(REQUESTS[name])


@pytest.mark.parametrize("name", REFUSED)
def test_no_request_is_smuggled_behind_one_that_is_refused(ours, plain, name):
    request, status = REFUSED[name]

    answer = ours.exchange(request + SMUGGLED)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.") == 1
    assert answer == plain.exchange(request + SMUGGLED)


@pytest.mark.parametrize("request_bytes", [CHUNKED, LENGTH], ids=["chunks", "length"])
def test_a_request_may_be_split_in_two_anywhere(ours, request_bytes):
    expected = ours.exchange(request_bytes)

    answers = {
        ours.exchange(request_bytes[:at], request_bytes[at:]) for at in range(1, len(request_bytes))
    }

    assert answers == {expected}
    assert b'"body": "abcdefg"' in expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_pipelined_requests_in_any_pieces_get_the_same_responses_as_in_one(ours, data):
    sent = GET + LENGTH + CHUNKED + LENGTH.replace(b"/form", b"/unread") + GET
    points = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=8)))
    pieces = [sent[a:b] for a, b in zip([0, *points], [*points, len(sent)], strict=True)]

    answer = ours.exchange(*pieces)

    assert answer == ours.exchange(sent)
    assert answer.count(b"HTTP/1.1 200 OK") == 5


@pytest.mark.parametrize("request_bytes", [LENGTH, CHUNKED])
def test_a_request_that_ends_too_early_never_counts_as_complete(ours, request_bytes):
    for end in range(len(request_bytes)):
        assert ours.exchange(request_bytes[:end]) == b""


def test_a_request_that_gunicorn_finds_unfinished_gets_no_response(ours):
    # Framing stops at a size with that many digits, and passes on what it has.
    start = POST + TE + b"\r\n" + b"0" * 16 + b"5\r\nab"

    with ours.connect() as client:
        client.sendall(start)
        assert read_all(client) == b""


def test_reading_beyond_what_has_arrived_is_an_error_instead_of_an_end():
    server_end, client_end = socket.socketpair()
    with server_end, client_end:
        client = ClientSocket(server_end)
        client_end.sendall(b"abc")
        client.receive()

        assert client.recv(2) + client.recv(2) == b"abc"
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_connection_is_reused(ours):
    with ours.connect() as client:
        for number in range(20):
            client.sendall(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            answer = read_until(client, b"}")
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["target"] == f"/{number}"


def test_a_client_that_waits_to_be_asked_for_the_body_is_asked_once(ours):
    head = POST + b"Expect: 100-continue\r\nContent-Length: 7\r\n\r\n"

    with ours.connect() as client:
        client.sendall(head)
        asked = read_until(client, b"\r\n\r\n")
        client.sendall(b"abcdefg")
        answer = read_until(client, b"}")

    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"body": "abcdefg"' in answer


def test_a_client_that_does_not_wait_is_not_asked(ours):
    answer = ours.exchange(POST + b"Expect: 100-continue\r\nContent-Length: 7\r\n\r\nabcdefg")

    assert answer.startswith(b"HTTP/1.1 200 OK")
