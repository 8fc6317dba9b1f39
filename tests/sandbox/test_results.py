"""The results file: complete, shuffled, repeatable, and as irregular as the real one."""

import json
import re
import tracemalloc
from collections import Counter

import pytest

from tests.sandbox.conftest import BATCHES, error, results


def kinds(lines):
    return Counter(line["result"]["type"] for line in lines)


def usages(lines):
    return [
        line["result"]["message"]["usage"]
        for line in lines
        if line["result"]["type"] == "succeeded"
    ]


@pytest.fixture
def thousand(api, http):
    """The lines of a batch of 1,000 requests to two models."""
    models = ["claude-haiku-5-5", "claude-sonnet-4-5"]
    return results(http, api.add_batch(status="ended", requests=1000, errored=80, models=models))


def test_the_lines_add_up_to_the_request_counts(api, http):
    batch_id = api.add_batch(
        status="ended", requests=1000, errored=7, canceled=300, expired=0, succeeded=693
    )

    lines = results(http, batch_id)

    assert kinds(lines) == {"succeeded": 693, "errored": 7, "canceled": 300}
    assert len({line["custom_id"] for line in lines}) == 1000


def test_expired_requests_have_lines(api, http):
    batch_id = api.add_batch(status="ended", requests=50, expired=50)

    assert results(http, batch_id)[0]["result"] == {"type": "expired"}


def test_lines_are_not_in_the_order_of_the_requests(thousand):
    custom_ids = [line["custom_id"] for line in thousand]

    assert custom_ids != sorted(custom_ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", each) for each in custom_ids)


def test_outcomes_are_spread_over_the_file(thousand):
    first_half = kinds(thousand[:500])

    assert 20 < first_half["errored"] < 60


def test_a_second_download_equals_the_first_and_another_seed_does_not(make_api, ask):
    one, other = make_api(seed=1), make_api(seed=2)
    for api in (one, other):
        api.add_batch("msgbatch_same", status="ended", requests=20)
    path = f"{BATCHES}/msgbatch_same/results"

    first, second = ask(one).get(path).content, ask(one).get(path).content

    assert first == second
    assert first != ask(other).get(path).content


def test_results_are_jsonl_without_a_length(api, http):
    batch_id = api.add_batch(status="ended")

    response = http.get(f"{BATCHES}/{batch_id}/results")

    assert response.headers["content-type"] == "application/x-jsonl"
    assert "content-length" not in response.headers
    assert response.content.endswith(b"}\n")


def test_text_contains_separators_that_do_not_end_lines(api, http):
    batch_id = api.add_batch(status="ended", requests=500)

    body = http.get(f"{BATCHES}/{batch_id}/results").content

    assert "\u2028" in body.decode()
    assert "\u0085" in body.decode()
    assert len(body.decode().splitlines()) > 500
    assert all(json.loads(line) for line in body.removesuffix(b"\n").split(b"\n"))


def test_errors_are_nested_twice_and_of_several_types(thousand):
    errors = [line["result"]["error"] for line in thousand if "error" in line["result"]]

    assert {each["type"] for each in errors} == {"error"}
    assert len({each["error"]["type"] for each in errors}) >= 4
    assert {None} < {each["request_id"] for each in errors}


def test_messages_name_the_dated_models_and_several_stop_reasons(thousand):
    messages = [line["result"]["message"] for line in thousand if "message" in line["result"]]

    assert {each["model"] for each in messages} == {
        "claude-haiku-5-5",
        "claude-sonnet-4-5-20250929",
    }
    assert {each["stop_reason"] for each in messages} >= {"end_turn", "max_tokens", "refusal"}


def test_prompts_are_on_both_sides_of_haikus_100k_limit(thousand):
    prompts = [
        usage["input_tokens"]
        + (usage["cache_creation_input_tokens"] or 0)
        + (usage["cache_read_input_tokens"] or 0)
        for usage in usages(thousand)
    ]

    assert min(prompts) < 10_000
    assert max(prompts) > 100_000


def test_usage_has_null_and_missing_fields_and_its_parts_add_up(thousand):
    seen = usages(thousand)

    assert any(usage.get("cache_creation", 0) is None for usage in seen)
    assert any("output_tokens_details" not in usage for usage in seen)
    for usage in seen:
        assert usage["input_tokens"] >= 0
        assert usage["output_tokens"] > 0
        by_lifetime = usage["cache_creation"]
        if by_lifetime is not None:
            assert sum(by_lifetime.values()) == usage["cache_creation_input_tokens"]


def test_several_batches_differ_in_cache_thinking_search_and_geo(api, http):
    seen = []
    for _ in range(40):
        seen += usages(results(http, api.add_batch(status="ended", requests=10)))

    assert {usage.get("inference_geo") for usage in seen} >= {"us", "global", "not_available"}
    lifetimes = [usage["cache_creation"] for usage in seen if usage["cache_creation"]]
    assert any(each["ephemeral_5m_input_tokens"] for each in lifetimes)
    assert any(each["ephemeral_1h_input_tokens"] for each in lifetimes)
    assert any(usage["cache_read_input_tokens"] for usage in seen)
    assert any((usage.get("output_tokens_details") or {}).get("thinking_tokens") for usage in seen)
    assert any((usage.get("server_tool_use") or {}).get("web_search_requests") for usage in seen)


def test_a_prompt_size_can_be_chosen(api, http):
    batch_id = api.add_batch(
        status="ended", requests=400, models=["claude-sonnet-5"], prompt_tokens=3000
    )

    prompts = sorted(
        usage["input_tokens"]
        + (usage["cache_creation_input_tokens"] or 0)
        + (usage["cache_read_input_tokens"] or 0)
        for usage in usages(results(http, batch_id))
    )

    assert 2500 < prompts[200] < 3500
    assert prompts[-1] < 30_000


def test_odd_lines_only_appear_where_requested(api, http):
    details = {"status": "ended", "succeeded": 80, "errored": 20}

    usual = results(http, api.add_batch("msgbatch_usual", **details))
    odd = results(http, api.add_batch("msgbatch_odd", odd_lines=True, **details))

    assert kinds(usual) == {"succeeded": 80, "errored": 20}
    # One succeeded result in ten has a type that clients do not know.
    assert kinds(odd) == {"succeeded": 72, "withheld": 8, "errored": 20}
    assert {"type": "withheld"} in [line["result"] for line in odd]


def test_odd_errors_are_nested_differently(api, http):
    batch_id = api.add_batch(status="ended", errored=400, odd_lines=True)

    errors = [line["result"]["error"] for line in results(http, batch_id)]

    usual = [
        each for each in errors if isinstance(each, dict) and isinstance(each.get("error"), dict)
    ]
    odd = [each for each in errors if each not in usual]
    assert len(odd) == 40
    assert {type(each) for each in odd} == {dict, str, type(None)}


def test_a_sandbox_can_add_odd_lines_to_every_batch(make_api, ask):
    api = make_api(odd_lines=True)
    batch_id = api.add_batch(status="ended", requests=10)

    assert kinds(results(ask(api), batch_id)) == {"succeeded": 9, "withheld": 1}


@pytest.mark.parametrize("state", ["in_progress", "canceling"])
def test_there_are_no_results_before_the_end(api, http, state):
    batch_id = api.add_batch(status=state)

    response = http.get(f"{BATCHES}/{batch_id}/results")

    assert error(response) == (
        404,
        "not_found_error",
        f"Message Batch {batch_id} has no available results.",
    )
    assert response.headers["x-should-retry"] == "false"


def test_archived_results_are_not_found(api, http):
    batch_id = api.add_batch(status="ended")

    api.archive(batch_id)

    assert error(http.get(f"{BATCHES}/{batch_id}/results"))[0] == 404
    assert http.get(f"{BATCHES}/{batch_id}").json()["archived_at"]


def test_a_large_file_needs_little_memory(api, http):
    batch_id = api.add_batch(status="ended", requests=5_000)
    tracemalloc.start()

    with http.stream("GET", f"{BATCHES}/{batch_id}/results") as response:
        size = sum(len(chunk) for chunk in response.iter_raw())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size > 2_000_000
    assert peak < 1_000_000
