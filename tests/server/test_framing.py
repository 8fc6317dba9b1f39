"""When a request counts as complete: as soon as gunicorn's parser has all that it needs."""

from contextlib import suppress
from itertools import pairwise

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.parser import RequestParser
from hypothesis import given
from hypothesis import strategies as st

from dashboard.server.framing import LARGEST_BODY_BYTES, LARGEST_HEAD_BYTES, Framing, Stage

CONFIG = Config()
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def stage_of(*pieces: bytes) -> Stage:
    """The framing after these pieces have arrived one by one."""
    framing, data, stage = Framing(), bytearray(), Stage.NOTHING
    for piece in pieces:
        data += piece
        stage = framing.stage(data)
    return stage


def complete_at(request: bytes) -> int | None:
    """How many bytes had arrived when the request was complete; None if it never was."""
    framing, data = Framing(), bytearray()
    for count, byte in enumerate(request, 1):
        data.append(byte)
        if framing.stage(data) is Stage.COMPLETE:
            return count
    return None


def gunicorn_reads(data: bytes) -> bytes | None:
    """The bytes that gunicorn's parser leaves after one request; None if it needs more."""
    parser = RequestParser(CONFIG, iter([data]), ("127.0.0.1", 1))
    try:
        request = next(parser)
        body = request.body.read()
    except (NoMoreData, StopIteration):
        return None
    length = dict(request.headers).get("CONTENT-LENGTH")
    if length and len(body) < int(length):
        return None
    return parser.unreader.take_buffered()


tokens = st.text("abcXYZ-09", min_size=1, max_size=8)
values = st.text("abc ,;=:\t%", max_size=12).map(str.strip)
bodies = st.binary(max_size=60)


@st.composite
def requests(draw) -> bytes:
    """Complete, well-formed requests with or without a body."""
    fields = draw(st.lists(st.tuples(tokens.map("X-{}".format), values), max_size=4))
    body, tail = b"", b""
    match draw(st.sampled_from(["none", "length", "chunked"])):
        case "length":
            body = draw(bodies)
            name = draw(st.sampled_from(["Content-Length", "content-length", "CONTENT-LENGTH"]))
            fields.append((name, str(len(body))))
        case "chunked":
            fields.append(("Transfer-Encoding", draw(st.sampled_from(["chunked", "Chunked"]))))
            chunks = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4))
            extension = draw(st.sampled_from([b"", b";a=b", b" ; a", b';a="b;c"']))
            sizes = draw(st.sampled_from(["%x", "%X", "0%x"]))
            for chunk in chunks:
                tail += (sizes % len(chunk)).encode() + extension + b"\r\n" + chunk + b"\r\n"
            tail += b"0\r\n" + draw(st.sampled_from([b"", b"X-T: a\r\n", b"X-T: a\r\nX-U:\r\n"]))
            tail += b"\r\n"
    draw(st.randoms()).shuffle(fields)
    line = draw(st.sampled_from(["POST / HTTP/1.1", "GET /a?b HTTP/1.1"]))
    head = "\r\n".join([line, *(f"{name}: {value}" for name, value in fields)])
    first = draw(st.sampled_from([b"", b"\r\n"]))
    return first + head.encode() + b"\r\n\r\n" + body + tail


@given(requests())
def test_a_request_is_complete_at_its_last_byte_and_not_before(request):
    assert complete_at(request) == len(request)


@given(requests(), st.binary(max_size=40))
def test_gunicorn_can_parse_every_request_that_counts_as_complete(request, following):
    count = complete_at(request + following)

    assert count is not None
    assert gunicorn_reads((request + following)[:count]) == b""


@given(requests(), st.data())
def test_the_pieces_of_a_request_make_no_difference(request, data):
    points = sorted(data.draw(st.sets(st.integers(0, len(request)), max_size=6)))
    edges = [0, *points, len(request)]
    pieces = [request[a:b] for a, b in pairwise(edges)]

    assert stage_of(*pieces) is Stage.COMPLETE


odd_fields = st.sampled_from(
    [
        *(b"Content-Length: 3", b"Content-Length : 3", b" Content-Length: 3", b"Content-Length:"),
        *(b"content-length:\t3 ", b"Content-Length: 3, 3", b"Content-Length: +3"),
        *(b"Content_Length: 3", b"Transfer-Encoding: chunked", b"Transfer-Encoding:chunked,"),
        *(b"Transfer-Encoding: gzip", b"Transfer-Encoding: gzip, chunked"),
        *(b"Transfer-Encoding: identity", b"Expect: 100-continue", b"Connection: close"),
        *(b"Host: a", b"Host: b", b"X: a\rb", b"X: a\nb", b"X", b":"),
    ]
)
odd_bodies = st.lists(
    st.sampled_from([b"abc", b"3\r\n", b"0\r\n", b"\r\n", b"0", b"3;a=\r", b"x", b"\n", b"GET / "])
).map(b"".join)


@given(st.lists(odd_fields, max_size=4), odd_bodies)
def test_framing_never_waits_for_more_than_gunicorn_does(fields, body):
    request = b"\r\n".join([b"POST / HTTP/1.1", *fields]) + b"\r\n\r\n" + body

    if complete_at(request) is None:
        with suppress(ParseException):
            assert gunicorn_reads(request) is None


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET / HTTP/1.1\nHost: a", id="bare line feed in the request line"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\n", id="bare line feed after a field"),
        pytest.param(b"\r\n\r\n", id="two empty lines"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", id="length of no digits"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", id="two lengths"
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            id="a length and chunks",
        ),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: a\r\n\r\n", id="unknown coding"),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", id="no chunk size"
        ),
    ],
)
def test_a_request_that_gunicorn_refuses_is_passed_on_at_once(head):
    assert stage_of(head) is Stage.COMPLETE


def test_a_head_is_limited_whether_it_ends_or_not():
    field = b"X-A: " + b"a" * 8000 + b"\r\n"
    head = b"GET / HTTP/1.1\r\n" + field * (LARGEST_HEAD_BYTES // len(field) + 1)

    assert stage_of(head) is Stage.HEAD_TOO_LARGE
    assert stage_of(head + b"\r\n") is Stage.HEAD_TOO_LARGE


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY_BYTES + 1),
        b"Content-Length: 99999999999999999999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (LARGEST_BODY_BYTES + 1),
        b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n%s\r\n" % (b"a" * 1024) * 600,
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 5000,
    ],
)
def test_a_body_that_is_too_large_is_noticed_before_it_arrives(head):
    assert stage_of(b"POST / HTTP/1.1\r\n" + head) is Stage.BODY_TOO_LARGE


def test_the_largest_body_is_accepted():
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % LARGEST_BODY_BYTES

    assert stage_of(head, b"a" * LARGEST_BODY_BYTES) is Stage.COMPLETE


@pytest.mark.parametrize(
    ("version", "value", "expected"),
    [("1.1", "100-continue", True), ("1.1", "100-Continue", True), ("1.0", "100-continue", False)],
)
def test_an_http_1_1_client_may_wait_to_be_asked_for_the_body(version, value, expected):
    framing = Framing()
    head = f"POST / HTTP/{version}\r\nExpect: {value}\r\nContent-Length: 5\r\n\r\n"

    assert framing.stage(bytearray(head.encode())) is Stage.BODY
    assert framing.expects_continue is expected


def test_before_the_first_byte_nothing_has_arrived():
    assert stage_of(b"") is Stage.NOTHING
    assert stage_of(GET[:1]) is Stage.HEAD
