"""Keys, headers of requests and responses, and the rate limit."""

import pytest

from tests.sandbox.conftest import BATCHES, create, error


def test_both_ways_to_send_a_key_are_accepted(api, http):
    by_token = {"authorization": f"Bearer {api.other_key}", "x-api-key": ""}

    assert http.get(BATCHES).headers["anthropic-workspace-id"] == api.keys[api.key]
    assert (
        http.get(BATCHES, headers=by_token).headers["anthropic-workspace-id"]
        == api.keys[api.other_key]
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": ""},
        {"x-api-key": "sk-wrong"},
        {"x-api-key": "", "authorization": "Bearer wrong"},
        {"x-api-key": "", "authorization": "Basic sandbox-research"},
    ],
)
def test_without_a_valid_key_nothing_is_revealed(api, http, headers):
    batch_id = api.add_batch()

    response = http.get(f"{BATCHES}/{batch_id}", headers=headers)

    assert error(response)[:2] == (401, "authentication_error")
    assert batch_id not in response.text


def test_a_wrong_key_is_refused_with_the_apis_message(http):
    response = http.get(BATCHES, headers={"x-api-key": "sk-wrong"})

    assert error(response)[2] == "API key is invalid."


def test_beta_flags_and_versions_change_nothing(http):
    headers = {
        "anthropic-beta": "message-batches-2024-09-24,anything",
        "anthropic-version": "2026-10-21",
    }

    response = http.get(f"{BATCHES}?beta=true", headers=headers)

    assert response.status_code == 200


def test_a_key_may_name_only_its_own_workspace(api, http):
    own = {"anthropic-workspace-id": api.keys[api.key]}
    other = {"anthropic-workspace-id": api.keys[api.other_key]}

    assert http.get(BATCHES, headers=own).status_code == 200
    assert error(http.get(BATCHES, headers=other))[:2] == (403, "permission_error")


def test_every_response_has_its_own_request_id_and_the_organization(http):
    answers = [
        http.get(BATCHES),
        http.get(f"{BATCHES}/none"),
        http.get(BATCHES, headers={"x-api-key": "wrong"}),
    ]

    assert len({answer.headers["request-id"] for answer in answers}) == 3
    assert len({answer.headers["anthropic-organization-id"] for answer in answers}) == 1


def test_only_a_batch_that_has_not_ended_has_a_retry_after_header(api, http):
    batch_id = create(http, "one")["id"]

    waiting = http.get(f"{BATCHES}/{batch_id}")
    api.finish(batch_id)
    ended = http.get(f"{BATCHES}/{batch_id}")

    assert waiting.headers["retry-after"] == "10"
    assert "retry-after" not in ended.headers


def test_the_rate_limit_is_reported_enforced_and_refilled(make_api, ask, clock):
    api = make_api(calls_a_minute=3)
    http, other = ask(api), ask(api, api.other_key)

    # Both workspaces share the organization's limit.
    allowed = [each.get(BATCHES).headers for each in (http, other, http)]
    refused = http.get(BATCHES)
    clock.forward(seconds=20)
    again = http.get(BATCHES)

    remaining = [headers["anthropic-ratelimit-requests-remaining"] for headers in allowed]
    assert remaining == ["2", "1", "0"]
    assert allowed[0]["anthropic-ratelimit-requests-limit"] == "3"
    assert allowed[0]["anthropic-ratelimit-requests-reset"] == "2026-11-24T12:00:20+00:00"
    assert error(refused)[:2] == (429, "rate_limit_error")
    assert refused.headers["retry-after"] == "21"
    assert again.status_code == 200


def test_calls_are_remembered_in_order(api, http):
    batch_id = api.add_batch()

    http.get(BATCHES, params={"limit": 5})
    http.post(f"{BATCHES}/{batch_id}/cancel")

    assert api.calls == [("GET", BATCHES), ("POST", f"{BATCHES}/{batch_id}/cancel")]


def test_lenient_answers_what_the_sdks_tests_request(make_api, ask):
    api = make_api(lenient=True)
    http = ask(api, "any-key-at-all")
    one = f"{BATCHES}/message_batch_id"

    answers = [
        http.get(one),
        http.post(f"{one}/cancel"),
        http.delete(one),
        http.delete(one),
        http.get(f"{one}/results"),
        http.get(BATCHES, params={"after_id": "after_id", "before_id": "before_id"}),
    ]

    assert [answer.status_code for answer in answers] == [200] * 6
    assert answers[0].json()["processing_status"] == "ended"
    assert answers[1].json()["processing_status"] == "canceling"
    assert api.batches == {}


def test_lenient_keeps_the_rules_for_existing_batches(make_api, ask):
    api = make_api(lenient=True)
    batch_id = api.add_batch()

    assert ask(api).delete(f"{BATCHES}/{batch_id}").status_code == 400
