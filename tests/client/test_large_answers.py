"""Answers that would take too much memory or time without limits."""

import gzip
import json
import tracemalloc
from itertools import repeat

import brotli
import pytest

from batches.client import ApiError, BatchClient, KeyRefused, NotTheApi, TryLater
from batches.client.exchange import LARGEST_BODY_BYTES
from batches.client.types import read_page
from tests.client.loopback import head
from tests.client.upstream import KEY, Upstream, batch_json, calls, page_json, reply

MIB = 2**20
# Pages of the largest allowed size, with as many items as fit.
FILLINGS = {
    "numbers": b"0,",
    "objects": b'{"id":"x"},',
    "lists": b"[],",
    "strings": b'"",',
    "blanks": b" ,",
}
BLANKS = b" " * 64 * MIB
ENCODED = {
    "gzip": gzip.compress(BLANKS),
    "br": brotli.compress(BLANKS, quality=1),
    "gzip, gzip": gzip.compress(gzip.compress(BLANKS)),
    "deflate, identity": b"?",
    "x-unheard-of": b"?",
}


def filled(filling, *, size=LARGEST_BODY_BYTES):
    """The JSON of a list, of about this many bytes."""
    start, end = b'{"has_more":false,"data":[', b"0]}"
    return start + filling * ((size - len(start) - len(end)) // len(filling)) + end


def peak_of(call):
    """The error that the call raises, and its peak memory use in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(ApiError) as caught:
            call()
        return caught.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("filling", FILLINGS.values(), ids=FILLINGS.keys())
def test_a_list_of_millions_of_items_is_refused_before_decoding(filling):
    body = filled(filling)
    client = Upstream(reply(content=body)).client()

    error, peak = peak_of(client.list_page)

    assert isinstance(error, NotTheApi)
    assert peak < 4 * len(body)


@pytest.mark.parametrize("field", ["last_id", "unheard_of"])
def test_values_outside_the_list_are_limited_too(field):
    body = b'{"has_more":false,"data":[],"%s":[%s0]}' % (field.encode(), b"[]," * 5_000_000)
    client = Upstream(reply(content=body)).client()

    error, peak = peak_of(client.list_page)

    assert isinstance(error, NotTheApi)
    assert peak < 4 * len(body)


@pytest.mark.parametrize("name", ["retrieve", "cancel"])
def test_an_answer_about_one_batch_is_limited_too(name):
    body = b'{"id":"msgbatch_1","x":[%s0]}' % (b"[]," * 5_000_000)

    with calls(Upstream(reply(content=body)).client()) as operations:
        error, peak = peak_of(operations[name])

    assert isinstance(error, NotTheApi)
    assert peak < 4 * len(body)


def test_a_body_above_the_limit_is_not_read_further():
    read = []
    pieces = (read.append(1) or b" " * MIB for _ in repeat(None, 64))

    with pytest.raises(NotTheApi, match="longer than 16,777,216 bytes"):
        Upstream(reply(content=pieces)).client().list_page()

    assert len(read) == 17


@pytest.mark.parametrize(("limit", "items"), [(1, 2), (20, 21), (1000, 1001), (5000, 1001)])
def test_a_page_with_more_items_than_requested_is_not_the_api(limit, items):
    page = page_json(*[{"id": f"msgbatch_{number}"} for number in range(items)])

    with pytest.raises(NotTheApi, match="more items than requested"):
        Upstream(reply(json=page)).client().list_page(limit=limit)


def test_a_page_with_as_many_items_as_requested_is_read():
    page = page_json(*[batch_json(f"msgbatch_{number}") for number in range(1000)])

    assert len(Upstream(reply(json=page)).client().list_page().batches) == 1000


def test_an_item_that_is_too_large_is_named_but_not_kept():
    page = read_page(json.dumps(page_json(batch_json("odd", extra="x" * 16_384))).encode())

    (unreadable,) = page.unreadable
    assert (unreadable.id, unreadable.raw) == ("odd", None)
    assert "longer than 16,384 bytes" in unreadable.problem


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("status", "kind"), [("401 Unauthorized", KeyRefused), ("503 Service Unavailable", TryLater)]
)
def test_an_endless_error_is_classified_by_its_status_and_the_rest_is_not_read(
    loopback, status, kind
):
    sent = []
    piece = b"[]," * (MIB // 3)

    def endless(connection, stop):
        connection.sendall(head("content-length: 67108864", status=status))
        for _ in range(64):
            connection.sendall(piece)
            sent.append(MIB)

    with BatchClient(loopback(endless), KEY, attempts=1) as client:
        error, peak = peak_of(lambda: client.retrieve("msgbatch_1"))

    assert error.__class__ is kind
    assert "not JSON" in str(error)
    assert peak < MIB
    assert len(sent) < 64


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"error":' * 7_000, b"[]," * 20_000])
def test_a_nested_or_long_error_is_classified_by_its_status(body):
    with pytest.raises(KeyRefused, match="not JSON"):
        Upstream(reply(401, content=body)).client().retrieve("msgbatch_1")


@pytest.mark.parametrize("coding", ENCODED)
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
@pytest.mark.parametrize("name", ["list", "retrieve", "cancel", "results"])
def test_a_compressed_answer_is_refused_without_reading(loopback, name, status, coding):
    bomb = ENCODED[coding]
    headers = (f"content-encoding: {coding}", f"content-length: {len(bomb)}")

    def send(connection, stop):
        connection.sendall(head("content-type: application/json", *headers, status=status) + bomb)

    with calls(BatchClient(loopback(send), KEY, attempts=1)) as operations:
        error, peak = peak_of(operations[name])

    assert error.__class__ is NotTheApi
    assert "compressed answer, which was not requested" in str(error)
    assert peak < MIB


@pytest.mark.usefixtures("no_waits")
def test_a_compressed_rate_limit_is_still_a_rate_limit():
    headers = {"content-encoding": "br", "retry-after": "7"}

    with pytest.raises(TryLater, match="compressed answer") as caught:
        Upstream(reply(429, content=iter([b"?"]), headers=headers)).client(attempts=1).retrieve(
            "msgbatch_1"
        )

    assert caught.value.retry_after == 7.0


def test_every_call_requests_an_uncompressed_answer():
    upstream = Upstream(reply(json=page_json()))

    upstream.client().list_page()

    assert upstream.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", ["identity", "Identity", "", "identity, identity"])
def test_an_answer_with_identity_encoding_is_read(coding):
    answer = reply(json=batch_json(), headers={"content-encoding": coding})

    assert Upstream(answer).client().retrieve("msgbatch_1").id == "msgbatch_1"
