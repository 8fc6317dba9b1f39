"""Which calls are retried, how often, how long, and which never are."""

import httpx
import pytest

from batches.client import (
    ApiError,
    ApiRefused,
    BatchNotFound,
    NotTheApi,
    TryLater,
    Unreachable,
)
from batches.client.retries import BackOff, Deadline
from tests.client.upstream import (
    Upstream,
    batch_json,
    broken,
    calls,
    page_json,
    refusal,
    reply,
)

GOOD = {
    "list": reply(json=page_json(batch_json())),
    "retrieve": reply(json=batch_json()),
    "cancel": reply(json=batch_json(processing_status="canceling")),
    "results": reply(content=b"{}\n", headers={"content-type": "application/x-jsonl"}),
}
OPERATIONS = sorted(GOOD)
TRANSIENT = [408, 409, 429, 500, 502, 504, 529]
BROKEN = [
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ReadError,
    httpx.ReadTimeout,
    httpx.RemoteProtocolError,
    httpx.WriteError,
]


def make(upstream, name, **options):
    with calls(upstream.client(**options)) as operations:
        return operations[name]()


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("status", TRANSIENT)
def test_an_operation_succeeds_after_two_transient_failures(name, status):
    upstream = Upstream(refusal(status), refusal(status), GOOD[name])

    make(upstream, name)

    assert len(upstream.requests) == 3
    assert len({(each.method, each.url) for each in upstream.requests}) == 1


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("error", BROKEN)
def test_an_operation_survives_a_broken_connection(name, error):
    upstream = Upstream(broken(error), GOOD[name])

    make(upstream, name)

    assert len(upstream.requests) == 2


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_attempts_are_limited_and_the_last_error_is_raised(attempts):
    upstream = Upstream(refusal(500), refusal(502), refusal(529, message="Overloaded."))

    with pytest.raises(TryLater) as caught:
        make(upstream, "cancel", attempts=attempts)

    assert len(upstream.requests) == attempts
    assert caught.value.status == [500, 502, 529][attempts - 1]


@pytest.mark.usefixtures("no_waits")
def test_a_conflict_that_remains_is_a_refusal():
    upstream = Upstream(refusal(409, "conflict_error"))

    with pytest.raises(ApiRefused) as caught:
        make(upstream, "cancel")

    assert len(upstream.requests) == 3
    assert caught.value.status == 409


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (refusal(400), ApiRefused),
        (refusal(401), ApiRefused),
        (refusal(403), ApiRefused),
        (refusal(404), BatchNotFound),
        (refusal(413), ApiRefused),
        (refusal(422), ApiRefused),
        (reply(302, headers={"location": "https://elsewhere.test/"}), NotTheApi),
        (reply(text="<html>Sign in</html>"), NotTheApi),
        (reply(text="garbage"), NotTheApi),
    ],
)
def test_permanent_errors_are_not_retried(failure, error):
    upstream = Upstream(failure)

    with pytest.raises(error):
        make(upstream, "retrieve")

    assert len(upstream.requests) == 1


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("status", [400, 404, 422])
def test_the_api_can_request_a_retry_for_any_status(status):
    upstream = Upstream(refusal(status, x_should_retry="true"), GOOD["retrieve"])

    make(upstream, "retrieve")

    assert len(upstream.requests) == 2


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("status", TRANSIENT)
def test_the_api_can_forbid_a_retry_for_any_status(status):
    upstream = Upstream(refusal(status, x_should_retry="false"))

    with pytest.raises(ApiError):
        make(upstream, "retrieve")

    assert len(upstream.requests) == 1


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("seconds", ["0", "3", "0.25"])
def test_a_wait_that_fits_the_deadline_is_kept(seconds):
    upstream = Upstream(refusal(429, retry_after=seconds), GOOD["cancel"])

    make(upstream, "cancel")

    assert len(upstream.requests) == 2


def test_a_wait_beyond_the_deadline_is_raised():
    upstream = Upstream(refusal(429, retry_after="90"))

    with pytest.raises(TryLater) as caught:
        upstream.client().cancel("msgbatch_1", within=10)

    assert caught.value.retry_after == 90.0
    assert len(upstream.requests) == 1


def test_a_wait_requested_by_the_api_replaces_the_usual_pause():
    back_off = BackOff(Deadline(60))

    assert back_off(TryLater(retry_after=7.0)) == 7.0
    assert back_off(TryLater(retry_after=0.0)) == 0.0


def test_pauses_double_from_half_a_second_to_eight_with_jitter():
    for _ in range(50):
        back_off = BackOff(Deadline(600))

        pauses = [back_off(Unreachable()) for _ in range(7)]

        for pause, longest in zip(pauses, [0.5, 1, 2, 4, 8, 8, 8], strict=True):
            assert longest / 2 <= pause <= longest


def test_a_pause_beyond_the_deadline_ends_the_attempts(clock):
    deadline = Deadline(1.0)
    clock.forward(0.9)

    assert BackOff(deadline)(Unreachable()) is False


def test_errors_that_are_not_api_errors_are_not_retried():
    assert BackOff(Deadline(60))(KeyError("a bug")) is False


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("options", "seconds_each"), [({}, 40), ({"within": 10}, 6), ({"within": 0.5}, 0.3)]
)
def test_all_attempts_together_keep_the_deadline(clock, options, seconds_each):
    def slow(request):
        clock.forward(seconds_each)
        return httpx.Response(529, json={})

    upstream = Upstream(slow)
    started = clock()

    with pytest.raises(ApiError):
        upstream.client().cancel("msgbatch_1", **options)

    assert len(upstream.requests) <= 2
    assert clock() - started <= 2 * seconds_each


def test_a_call_with_no_time_left_sends_nothing():
    upstream = Upstream(GOOD["cancel"])

    with pytest.raises(Unreachable, match="did not finish within 0 s"):
        upstream.client().cancel("msgbatch_1", within=0)

    assert upstream.requests == []
