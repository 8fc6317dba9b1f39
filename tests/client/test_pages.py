"""Pages of the list: unreadable items next to good ones, and how long to wait."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from batches.client.pacing import pause_seconds, retry_after
from tests.client.upstream import Upstream, batch_json, page_json, reply

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ODD = {
    "null": "null",
    "a number": "7",
    "a list": "[]",
    "an empty object": "{}",
    "an infinite number": json.dumps(batch_json("odd")).replace('"odd"', '"odd", "x": 1e999'),
    "not UTF-8": json.dumps(batch_json("odd", extra="?")).encode().replace(b"?", b"\xff").decode(
        "latin-1"
    ),
    "a hostile id": json.dumps(batch_json("../../etc")),
    "an id with a newline": json.dumps(batch_json("odd\n")),
    "a NUL": json.dumps(batch_json("odd", extra="a\0b")),
    "too deep": json.dumps(batch_json("odd", extra="?")).replace('"?"', "[" * 600 + "]" * 600),
    "too long": json.dumps(batch_json("odd", extra="x" * 16_384)),
    "counts that overflow": json.dumps(batch_json("odd", request_counts={"processing": 2**70})),
}  # fmt: skip


def headers(**named):
    return httpx.Headers({name.replace("_", "-"): value for name, value in named.items()})


def exhausted(reset):
    return headers(
        anthropic_ratelimit_requests_remaining="0", anthropic_ratelimit_requests_reset=reset
    )


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_one_unreadable_item_never_hides_the_others(odd):
    good = [json.dumps(batch_json(name)) for name in ("first", "last")]
    body = f'{{"data": [{good[0]}, {odd}, {good[1]}], "has_more": false}}'

    page = Upstream(reply(content=body.encode("latin-1"))).client().list_page()

    assert [batch.id for batch in page.batches] == ["first", "last"]
    (unreadable,) = page.unreadable
    assert unreadable.id in {"", "odd"}
    assert unreadable.problem.isprintable()
    assert 0 < len(unreadable.problem) <= 300


def test_an_unreadable_item_keeps_its_id_and_json():
    odd = batch_json("msgbatch_odd", request_counts=None)

    (unreadable,) = Upstream(reply(json=page_json(odd))).client().list_page().unreadable

    assert unreadable.id == "msgbatch_odd"
    assert "request_counts" in unreadable.problem
    assert unreadable.raw == odd


def test_a_page_has_the_request_id_of_its_answer():
    body = page_json(batch_json("b"), batch_json("a"), has_more=True)
    upstream = Upstream(reply(json=body, headers={"request-id": "req_7"}))

    page = upstream.client().list_page()

    assert (page.last_id, page.has_more) == ("a", True)
    assert page.request_id == "req_7"
    assert [batch.request_id for batch in page.batches] == ["req_7", "req_7"]


@pytest.mark.parametrize(
    ("named", "workspace_id"),
    [("wrkspc_01ab", "wrkspc_01ab"), ("", ""), ("wrk spc", ""), ("x" * 101, "")],
)
def test_a_page_has_the_apis_workspace_id(named, workspace_id):
    upstream = Upstream(reply(json=page_json(), headers={"anthropic-workspace-id": named}))

    assert upstream.client().list_page().workspace_id == workspace_id


@pytest.mark.parametrize("cursor", ["../x", "a&b", "", "x" * 201, 7, ["a"], {}])
def test_an_invalid_cursor_hides_no_batch(cursor):
    body = page_json(batch_json("a"), has_more=True, last_id=cursor)

    page = Upstream(reply(json=body)).client().list_page()

    assert [batch.id for batch in page.batches] == ["a"]
    assert page.last_id is None


def test_a_page_says_how_long_to_wait_before_the_next():
    body, named = page_json(), {"retry-after": "10"}

    assert Upstream(reply(json=body)).client().list_page().pause_seconds == 0.0
    assert Upstream(reply(json=body, headers=named)).client().list_page().pause_seconds == 10.0


@pytest.mark.parametrize(
    ("named", "seconds"),
    [
        (headers(), 0.0),
        (headers(anthropic_ratelimit_requests_remaining="1"), 0.0),
        (exhausted("2026-11-24T12:00:20+00:00"), 20.0),
        (exhausted("2026-11-24T12:00:20.5Z"), 20.5),
        (exhausted("2026-11-24T11:59:00Z"), 0.0),
        (exhausted("2026-11-25T12:00:00Z"), 300.0),
        (exhausted("9999-12-31T23:59:59Z"), 0.0),
        (exhausted("soon"), 0.0),
        (exhausted(""), 0.0),
        (headers(anthropic_ratelimit_requests_remaining="0"), 0.0),
        (headers(retry_after="10"), 10.0),
        (headers(retry_after="100000"), 300.0),
    ],
)
def test_an_exhausted_rate_limit_means_a_pause_until_its_reset(named, seconds):
    with time_machine.travel(NOW, tick=False):
        assert pause_seconds(named) == seconds


def test_the_longer_of_two_pauses_counts():
    both = exhausted("2026-11-24T12:00:20Z")
    both["retry-after"] = "30"

    with time_machine.travel(NOW, tick=False):
        assert pause_seconds(both) == 30.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("17", 17.0),
        (" 1.5 ", 1.5),
        ("99999", 3600.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Tuesday, 24-Nov-26 12:00:30 GMT", 30.0),
        ("Tue Nov 24 12:00:30 2026", 30.0),
        ("", None),
        ("-1", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("٣", None),
        ("9" * 400, None),
        ("Tue, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text, seconds):
    with time_machine.travel(NOW, tick=False):
        assert retry_after(httpx.Headers([(b"retry-after", text.encode())])) == seconds


@given(st.binary())
def test_any_header_means_a_limited_wait_or_none(text):
    named = httpx.Headers(
        [
            (b"retry-after", text),
            (b"anthropic-ratelimit-requests-remaining", b"0"),
            (b"anthropic-ratelimit-requests-reset", text),
        ]
    )

    seconds = retry_after(named)

    assert seconds is None or 0 <= seconds <= 3600
    assert 0 <= pause_seconds(named) <= 300
