"""Why create calls are refused, and what is accepted but fails later."""

import json

import pytest

from tests.sandbox.conftest import BATCHES, create, error, good_params, results


def item(**changes):
    return {"custom_id": "one", "params": good_params()} | changes


def without(name):
    return {key: value for key, value in item().items() if key != name}


PATTERN = "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "requests: Field required"),
        (
            {"requests": []},
            "requests: List should have at least 1 item after validation, not 0",
        ),
        ({"requests": "all"}, "requests: Input should be a valid list"),
        ({"requests": ["one"]}, "requests.0: Input should be a valid dictionary"),
        ({"requests": [without("custom_id")]}, "requests.0.custom_id: Field required"),
        ({"requests": [without("params")]}, "requests.0.params: Field required"),
        (
            {"requests": [item(custom_id=7)]},
            "requests.0.custom_id: Input should be a valid string",
        ),
        ({"requests": [item(custom_id="")]}, PATTERN),
        ({"requests": [item(custom_id="a b")]}, PATTERN),
        ({"requests": [item(custom_id="one\n")]}, PATTERN),
        ({"requests": [item(custom_id="x" * 65)]}, PATTERN),
        (
            {"requests": [item(), item(custom_id="two"), item()]},
            "requests: custom_id's must be unique within a batch. Duplicate custom_id found: one",
        ),
    ],
)
def test_a_create_call_is_refused_with_the_apis_message(api, http, body, message):
    response = http.post(BATCHES, json=body)

    assert error(response) == (400, "invalid_request_error", message)
    assert api.batches == {}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"requests": [}', b'"requests"', b"[" * 100_000],
    ids=["empty", "cut", "list", "not-utf8", "broken", "string", "deep"],
)
def test_a_body_that_is_not_a_json_object_is_refused(http, body):
    response = http.post(BATCHES, content=body)

    assert error(response)[:2] == (400, "invalid_request_error")


def test_more_than_100_000_requests_are_refused(http):
    body = json.dumps({"requests": [{}] * 100_001})

    response = http.post(BATCHES, content=body)

    assert error(response)[2] == (
        "requests: List should have at most 100000 items after validation, not 100001"
    )


def test_more_than_256_megabytes_are_refused_without_reading(http):
    # The sandbox only looks at the length. Sending the bytes would take too long.
    headers = {"content-length": str(256 * 1024 * 1024 + 1)}

    response = http.post(BATCHES, content=b"{}", headers=headers)

    assert error(response)[:2] == (413, "request_too_large")


@pytest.mark.parametrize("length", ["-1", "many", "9" * 30])
def test_an_invalid_content_length_is_refused(http, length):
    response = http.post(BATCHES, content=b"{}", headers={"content-length": length})

    assert error(response)[0] == 411


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        ({}, "invalid_request_error"),
        ("params", "invalid_request_error"),
        (good_params(model=5), "invalid_request_error"),
        (good_params(max_tokens=0), "invalid_request_error"),
        (good_params(max_tokens=True), "invalid_request_error"),
        (good_params(messages=[]), "invalid_request_error"),
        (good_params(messages=["Hello"]), "invalid_request_error"),
        (good_params(messages=[{"role": "cat", "content": "Meow"}]), "invalid_request_error"),
        (good_params(messages=[{"role": "user"}]), "invalid_request_error"),
        (good_params(model="gpt-4"), "not_found_error"),
    ],
)
def test_bad_params_are_accepted_and_result_in_an_errored_line(api, http, clock, params, kind):
    requests = [{"custom_id": "bad", "params": params}, item(custom_id="good")]
    batch_id = http.post(BATCHES, json={"requests": requests}).json()["id"]

    clock.forward(hours=24)

    assert api.describe(batch_id)["request_counts"]["errored"] >= 1
    lines = {line["custom_id"]: line["result"] for line in results(http, batch_id)}
    assert lines["bad"]["type"] == "errored"
    assert lines["bad"]["error"]["type"] == "error"
    assert lines["bad"]["error"]["error"]["type"] == kind


def test_bad_params_stay_errored_when_the_batch_is_canceled(api, http, clock):
    bad = [{"custom_id": f"bad-{at}", "params": {}} for at in range(20)]
    good = [item(custom_id=f"good-{at}") for at in range(20)]
    batch_id = http.post(BATCHES, json={"requests": [*good, *bad]}).json()["id"]

    http.post(f"{BATCHES}/{batch_id}/cancel")
    clock.forward(hours=24)

    errored = {
        line["custom_id"] for line in results(http, batch_id) if line["result"]["type"] == "errored"
    }
    assert errored >= {request["custom_id"] for request in bad}


def test_the_results_have_the_custom_ids_and_model_of_the_requests(http, clock):
    custom_ids = [f"ticket_{at}" for at in range(2500)]
    batch = create(http, *custom_ids, model="claude-opus-5-5")

    clock.forward(hours=24)
    lines = results(http, batch["id"])

    assert sorted(line["custom_id"] for line in lines) == sorted(custom_ids)
    assert [line["custom_id"] for line in lines] != custom_ids
    models = {line["result"]["message"]["model"] for line in lines if "message" in line["result"]}
    assert models == {"claude-opus-5-5"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", BATCHES),
        ("DELETE", BATCHES),
        ("POST", f"{BATCHES}/msgbatch_1"),
        ("GET", f"{BATCHES}/msgbatch_1/cancel"),
        ("POST", f"{BATCHES}/msgbatch_1/results"),
    ],
)
def test_a_wrong_method_is_refused_with_the_allowed_ones(http, method, path):
    response = http.request(method, path)

    assert error(response)[0] == 405
    assert response.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/", "/v1/messages", f"{BATCHES}/", f"{BATCHES}/a/b", f"{BATCHES}/a/cancel/"]
)
def test_an_unknown_path_is_not_found(http, path):
    assert error(http.get(path))[:2] == (404, "not_found_error")
