"""Faults on demand and by rate, as a client with the sandbox's transport sees them."""

import json

import httpx
import pytest

from batches.sandbox.faults import KINDS, parse_faults
from tests.sandbox.conftest import BATCHES, error


@pytest.mark.parametrize(
    ("kind", "status", "error_type"),
    [
        ("401", 401, "authentication_error"),
        ("403", 403, "permission_error"),
        ("404", 404, "not_found_error"),
        ("409", 409, "conflict_error"),
        ("429", 429, "rate_limit_error"),
        ("429-bare", 429, "rate_limit_error"),
        ("429-spend", 429, "rate_limit_error"),
        ("400-spend", 400, "invalid_request_error"),
        ("500", 500, "api_error"),
        ("504", 504, "timeout_error"),
        ("529", 529, "overloaded_error"),
    ],
)
def test_the_next_call_fails_and_the_one_after_does_not(api, http, kind, status, error_type):
    api.fail_next(kind)

    assert error(http.get(BATCHES))[:2] == (status, error_type)
    assert http.get(BATCHES).status_code == 200


def test_only_one_kind_of_429_has_a_retry_after_header(api, http):
    for kind in ("429", "429-bare", "429-spend"):
        api.fail_next(kind)

    hinted, bare, spend = (http.get(BATCHES) for _ in range(3))

    assert hinted.headers["retry-after"] == "1"
    assert "retry-after" not in bare.headers
    assert "retry-after" not in spend.headers
    assert spend.json()["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}


def test_a_failed_cancel_has_no_effect(api, http):
    batch_id = api.add_batch()
    api.fail_next("500")

    http.post(f"{BATCHES}/{batch_id}/cancel")

    assert api.accepted_cancels(batch_id) == 0


@pytest.mark.parametrize(("kind", "status"), [("413-html", 413), ("502-html", 502), ("html", 200)])
def test_some_faults_answer_with_a_web_page(api, http, kind, status):
    api.fail_next(kind)

    response = http.get(BATCHES)

    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<!doctype html>")


def test_garbage_is_a_200_that_is_not_json(api, http):
    api.fail_next("garbage")

    response = http.get(BATCHES)

    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"\w"):
        response.json()


def test_reset_comes_before_the_call_takes_effect_and_lost_after(api, http):
    reset, lost = api.add_batch(), api.add_batch()

    api.fail_next("reset")
    with pytest.raises(httpx.ReadError):
        http.post(f"{BATCHES}/{reset}/cancel")
    api.fail_next("lost")
    with pytest.raises(httpx.ReadError):
        http.post(f"{BATCHES}/{lost}/cancel")

    assert api.accepted_cancels(reset) == 0
    assert api.accepted_cancels(lost) == 1


def test_a_missing_response_is_a_timeout(api, http):
    api.fail_next("timeout")

    with pytest.raises(httpx.ReadTimeout):
        http.get(BATCHES)


def test_cut_breaks_results_off_in_the_middle(api, http):
    path = f"{BATCHES}/{api.add_batch(status='ended', requests=500)}/results"
    whole = http.get(path).content
    api.fail_next("cut")

    received: list[bytes] = []
    with http.stream("GET", path) as response, pytest.raises(httpx.RemoteProtocolError):
        received.extend(response.iter_bytes())

    part = b"".join(received)
    assert 0 < len(part) < len(whole)
    assert whole.startswith(part)


def test_a_slow_body_pauses_before_its_first_bytes_and_is_complete(make_api, ask):
    pauses: list[float] = []
    api = make_api(pause=pauses.append)
    api.fail_next("slow")

    response = ask(api).get(BATCHES)

    assert json.loads(response.content)["data"] == []
    assert len(pauses) == 20


def test_without_the_transport_a_fault_raises_the_systems_error(api):
    api.fail_next("reset")
    plain = httpx.WSGITransport(app=api)

    with httpx.Client(transport=plain) as http, pytest.raises(ConnectionResetError):
        http.get("http://sandbox/")


def test_a_fault_can_wait_for_a_path(api, http):
    batch_id = api.add_batch()
    api.fail_next("529", times=2, path="/cancel")

    statuses = [
        http.get(BATCHES).status_code,
        http.post(f"{BATCHES}/{batch_id}/cancel").status_code,
        http.post(f"{BATCHES}/{batch_id}/cancel").status_code,
        http.post(f"{BATCHES}/{batch_id}/cancel").status_code,
    ]

    assert statuses == [200, 529, 529, 200]


def test_faults_by_rate_occur_at_that_rate_and_repeatably(make_api, ask):
    def statuses():
        http = ask(make_api(faults="500=0.2,529=0.1"))
        return [http.get(BATCHES).status_code for _ in range(500)]

    first = statuses()

    assert 70 < first.count(500) < 130
    assert 30 < first.count(529) < 70
    assert first == statuses()


def test_the_count_of_accepted_cancels_never_fails(make_api, ask):
    api = make_api(faults="500=1")

    assert ask(api).get("/sandbox/accepted-cancels").json() == {}


def test_a_bare_rate_spreads_over_the_usual_mix():
    rates = parse_faults("0.22")

    assert sum(rates.values()) == pytest.approx(0.22)
    assert {"404", "429", "429-bare", "500", "529", "413-html", "cut", "slow", "reset"} <= set(
        rates
    )
    assert {"short", "half-line"} <= set(rates)
    assert set(rates) <= KINDS


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("teapot=0.1", "No fault is called 'teapot'"),
        ("500=2", "between 0 and 1"),
        ("500=-0.1", "between 0 and 1"),
        ("500=nan", "between 0 and 1"),
        ("500=", "between 0 and 1"),
        ("500", "between 0 and 1"),
        ("500=0.6,529=0.6", "must not exceed 1"),
    ],
)
def test_an_invalid_specification_is_refused(make_api, spec, problem):
    with pytest.raises(ValueError, match=problem):
        make_api(faults=spec)


def test_an_unknown_fault_cannot_be_ordered(api):
    with pytest.raises(ValueError, match="No fault is called 'teapot'"):
        api.fail_next("teapot")
