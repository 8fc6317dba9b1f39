"""Reading batches, and refusing what is not one."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.client import ApiError, RemoteBatch
from batches.client.types import moment, read_batch
from tests.client.upstream import Upstream, batch_json, calls, page_json, reply

BATCH = batch_json()
COUNTS = BATCH["request_counts"]
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
LARGEST = 10**12
MOMENTS = ["created_at", "expires_at", "ended_at", "cancel_initiated_at", "archived_at"]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(**changes):
    return read_batch(json.dumps(batch_json(**changes)).encode())


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-01T12:00:00Z",
        "2026-11-01T12:00:00+00:00",
        "2026-11-01T12:00:00-00:00",
        "2026-11-01T12:00:00.000000+00:00",
        "2026-11-01T12:00:00.0Z",
        "2026-11-01T12:00:00.000000000Z",
        "2026-11-01t12:00:00z",
        "2026-11-01 12:00:00Z",
        "2026-11-01T14:30:00+02:30",
        "2026-11-01T07:00:00-05:00",
        "2026-11-02T11:59:00+23:59",
    ],
)
@pytest.mark.parametrize("name", MOMENTS)
def test_every_format_of_rfc_3339_is_the_same_moment_in_utc(written, name):
    value = getattr(read(**{name: written}), name)

    assert value == NOON
    assert value.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("written", "second"),
    [
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2017-01-01T00:59:60.5+01:00", datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_a_leap_second_is_the_second_after_it(written, second):
    assert moment(written) == second


@given(
    st.timedeltas(min_value=timedelta(days=-10_000), max_value=timedelta(days=100_000)),
    st.integers(-14 * 60, 14 * 60),
)
def test_any_moment_in_any_time_zone_is_read(since_noon, minutes):
    there = (NOON + since_noon).astimezone(timezone(timedelta(minutes=minutes)))

    assert read(created_at=there.isoformat()).created_at == there


@pytest.mark.parametrize(
    "written",
    [
        "",
        "yesterday",
        "2026-11-01",
        "12:00:00Z",
        "2026-11-01T12:00:00",
        "2026-11-01T12:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-01T25:00:00Z",
        "2026-11-01T12:00:61Z",
        "2026-11-01T12:00:00+25:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:60Z",
        "x" * 10_000,
        1_700_000_000,
        True,
        [],
    ],
    ids=lambda written: str(written)[:30],
)
@pytest.mark.parametrize("name", MOMENTS)
def test_an_invalid_timestamp_is_refused_with_its_field(written, name):
    with pytest.raises(ValueError, match=name):
        read(**{name: written})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "../etc"}, "id"),
        ({"id": "a\n"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": 7}, "id"),
        ({"type": None}, "type"),
        ({"created_at": None}, "created_at"),
        ({"processing_status": ""}, "processing_status"),
        ({"processing_status": "x" * 61}, "processing_status"),
        ({"processing_status": "<script>"}, "processing_status"),
        ({"processing_status": "in progress"}, "processing_status"),
        ({"processing_status": "ended\n"}, "processing_status"),
        ({"processing_status": "zuständig"}, "processing_status"),
        ({"processing_status": None}, "processing_status"),
        ({"request_counts": None}, "request_counts"),
        ({"request_counts": {"processing": 1}}, "succeeded"),
        ({"request_counts": COUNTS | {"errored": -1}}, "errored"),
        ({"request_counts": COUNTS | {"errored": 2**63}}, "errored"),
        ({"request_counts": COUNTS | {"errored": 2**70}}, "errored|range"),
        ({"request_counts": COUNTS | {"errored": "3"}}, "errored"),
        ({"request_counts": COUNTS | {"errored": 1.5}}, "errored"),
        ({"request_counts": COUNTS | {"errored": None}}, "errored"),
        ({"request_counts": COUNTS | {"errored": True}}, "errored"),
        ({"request_counts": COUNTS | {"errored": LARGEST + 1}}, "<= 1000000000000"),
        ({"results_url": 5}, "results_url"),
        ({"results_url": "x" * 2001}, "results_url"),
        ({"extra": "a\x00b"}, "NUL"),
        ({"extra": ["\\\x00"]}, "NUL"),
        ({"\x00": 1}, "NUL"),
        ({"extra": [[]] * 600}, "objects and lists"),
        ({"extra": "x" * 70_000}, "longer than"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_an_invalid_batch_is_refused(changes, problem):
    with pytest.raises(ValueError, match=problem):
        read(**changes)


@pytest.mark.parametrize(
    "name", ["id", "type", "processing_status", "request_counts", "expires_at"]
)
def test_a_batch_without_a_required_field_is_refused(name):
    kept = {key: value for key, value in BATCH.items() if key != name}

    with pytest.raises(ValueError, match=name):
        read_batch(json.dumps(kept).encode())


def test_nullable_fields_may_be_missing():
    kept = {name: value for name, value in BATCH.items() if value is not None}

    batch = read_batch(json.dumps(kept).encode())

    assert (batch.ended_at, batch.cancel_initiated_at, batch.archived_at) == (None, None, None)
    assert batch.results_url is None


def test_the_largest_values_are_accepted():
    counts = dict.fromkeys(COUNTS, 0) | {"succeeded": LARGEST}

    batch = read(
        batch_id="x" * 200,
        processing_status="y" * 60,
        request_counts=counts,
        results_url="z" * 2000,
    )

    assert batch.request_counts.total == LARGEST
    assert len(batch.results_url) == 2000


def test_the_largest_counts_of_a_million_batches_fit_into_64_bits():
    assert 1_000_000 * len(COUNTS) * LARGEST < 2**63


def test_unknown_fields_and_statuses_are_kept():
    batch = read(processing_status="paused-v2.1", color={"deep": [1]})

    assert batch.processing_status == "paused-v2.1"
    assert batch.raw == batch_json(processing_status="paused-v2.1", color={"deep": [1]})


def test_text_that_only_looks_like_an_escaped_nul_is_kept():
    assert read(extra="a\\u0000b").raw["extra"] == "a\\u0000b"


def test_fields_with_the_clients_names_stay_in_the_raw_json():
    batch = read(raw="a text", request_id=["a list"])

    assert batch.request_id == ""
    assert batch.raw["raw"] == "a text"


def test_a_batch_is_immutable():
    batch = read()

    with pytest.raises(AttributeError):
        batch.processing_status = "ended"
    with pytest.raises(AttributeError):
        batch.request_counts.succeeded = 9


@given(json_values, st.sampled_from([200, 201, 302, 400, 401, 404, 409, 418, 429, 500, 529]))
def test_no_json_raises_anything_but_an_api_error(value, status):
    upstream = Upstream(reply(status, json=value))

    with calls(upstream.client(attempts=1)) as operations:
        for call in operations.values():
            with suppress(ApiError):
                call()


@given(st.binary(), st.sampled_from([200, 400, 500]))
def test_no_bytes_raise_anything_but_an_api_error(body, status):
    upstream = Upstream(reply(status, content=body))

    with calls(upstream.client(attempts=1)) as operations:
        for call in operations.values():
            with suppress(ApiError):
                call()


@given(st.dictionaries(st.sampled_from(sorted(BATCH)), json_values, max_size=3))
def test_a_batch_with_odd_fields_is_read_or_unreadable(changes):
    upstream = Upstream(reply(json=page_json(BATCH | changes)))

    page = upstream.client(attempts=1).list_page()

    assert len(page.batches) + len(page.unreadable) == 1
    for batch in page.batches:
        assert 0 <= batch.request_counts.total <= 5 * LARGEST
        assert msgspec.convert(msgspec.to_builtins(batch), RemoteBatch) == batch
    for odd in page.unreadable:
        assert odd.problem
        assert odd.raw["type"] == (BATCH | changes)["type"]
