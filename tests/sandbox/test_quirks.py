"""Unusual features of results, on demand: what the lines contain, and what is billed."""

import json
from decimal import Decimal

import pytest

from batches.sandbox.quirks import QUIRKS
from tests.sandbox.conftest import BATCHES, results

SONNET = {"status": "ended", "models": ["claude-sonnet-5-5"]}


def usages(http, batch_id: str) -> list[dict]:
    return [line["result"]["message"]["usage"] for line in results(http, batch_id)]


def test_a_tenth_of_the_requests_list_passes_that_add_up_to_the_message(api, http):
    batch_id = api.add_batch(requests=300, **SONNET, quirks=["passes"])

    listed = [usage for usage in usages(http, batch_id) if usage.get("iterations")]

    assert len(listed) == 30
    types = {each["type"] for usage in listed for each in usage["iterations"]}
    assert types == {"message", "compaction", "advisor_message"}
    for usage in listed:
        own = [each for each in usage["iterations"] if each["type"] == "message"]
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens"):
            assert sum(each[name] for each in own) == (usage[name] or 0)


def test_additional_passes_are_billed_at_the_price_of_their_model(api, http):
    batch_id = api.add_batch(requests=200, **SONNET, quirks=["passes"])
    prices = {"claude-sonnet-5-5": (1, 5), "claude-opus-5-5": (2, 10)}

    expected = Decimal(0)
    for line in results(http, batch_id):
        usage = line["result"]["message"]["usage"]
        extra = [each for each in usage.get("iterations") or [] if each["type"] != "message"]
        models = [line["result"]["message"]["model"], *(each.get("model") for each in extra)]
        lifetimes, cost = usage["cache_creation"] or {}, Decimal(0)
        cost += lifetimes.get("ephemeral_5m_input_tokens", 0) * Decimal("1.25")
        cost += lifetimes.get("ephemeral_1h_input_tokens", 0) * 2
        cost += (usage["cache_read_input_tokens"] or 0) * Decimal("0.05")
        for each, model in zip([usage, *extra], models, strict=True):
            price = prices[model or models[0]]
            cost += each["input_tokens"] * price[0] + each["output_tokens"] * price[1]
        if usage.get("inference_geo") == "us":
            cost *= Decimal("1.1")
        searches = (usage.get("server_tool_use") or {}).get("web_search_requests", 0)
        expected += cost / 1_000_000 + searches * Decimal("0.01")

    assert api.billed(batch_id) == expected


def test_tiers_are_billed_separately(api, http):
    batch_id = api.add_batch(requests=100, **SONNET, quirks=["standard", "priority", "fast"])

    tiers = [usage.get("service_tier") for usage in usages(http, batch_id)]
    speeds = [usage.get("speed") for usage in usages(http, batch_id)]
    charges = {each.tier: each.requests for each in charges_of(api, batch_id)}

    assert (tiers.count("standard"), tiers.count("priority"), speeds.count("fast")) == (20, 10, 10)
    assert charges == {"batch": 70, "standard": 10, "priority": 10, "fast": 10}


def charges_of(api, batch_id: str):
    api.billed(batch_id)
    return api.world.store.charges(batch_id)


def billed(make_api, *quirks: str) -> Decimal:
    """What the same batch costs with these quirks."""
    api = make_api()
    return api.billed(api.add_batch("msgbatch_same", requests=20, **SONNET, quirks=quirks))


@pytest.mark.parametrize("quirk", ["stops", "surrogates", "repeated", "long"])
def test_quirks_without_tokens_cost_nothing(make_api, quirk):
    assert billed(make_api, quirk) == billed(make_api)


@pytest.mark.parametrize("quirk", ["standard", "priority", "fast", "future-step", "future-tokens"])
def test_quirks_with_tokens_or_tiers_are_billed(make_api, quirk):
    assert billed(make_api, quirk) > billed(make_api)


def test_half_a_surrogate_pair_is_escaped_in_the_file(api, http):
    batch_id = api.add_batch(requests=20, **SONNET, quirks=["surrogates"])

    content = http.get(f"{BATCHES}/{batch_id}/results").content

    assert content.count(b"\\ud82d") == 2
    assert b"\xef\xb7\x90" not in content
    assert all(json.loads(line) for line in content.splitlines())


def test_one_line_repeats_an_id_and_one_is_ten_megabytes_long(api, http):
    batch_id = api.add_batch(requests=20, errored=3, **SONNET, quirks=["repeated", "long"])

    lines = http.get(f"{BATCHES}/{batch_id}/results").content.splitlines()

    ids = [json.loads(line)["custom_id"] for line in lines]
    assert (len(ids), len(set(ids))) == (20, 19)
    assert sum(len(line) > 10_000_000 for line in lines) == 1


@pytest.mark.parametrize(
    ("quirk", "field"), [("future-step", "iterations"), ("future-tokens", "memory_input_tokens")]
)
def test_a_tenth_of_the_requests_have_a_field_that_no_client_knows(api, http, quirk, field):
    batch_id = api.add_batch(requests=100, **SONNET, quirks=[quirk])

    assert sum(bool(usage.get(field)) for usage in usages(http, batch_id)) == 10


def test_a_sandbox_can_apply_quirks_to_every_batch(make_api, ask):
    api = make_api(quirks=["stops"])
    batch_id = api.add_batch(requests=200, **SONNET)

    stops = {line["result"]["message"]["stop_reason"] for line in results(ask(api), batch_id)}

    assert "model_context_window_exceeded" in stops


def test_an_unknown_quirk_is_refused_with_the_known_ones(api):
    with pytest.raises(ValueError, match=f"'odd'.*{', '.join(QUIRKS)}"):
        api.add_batch(quirks=["odd"])


def test_a_tenth_of_the_demos_requests_take_several_passes(make_api):
    api = make_api(batches=30)

    quirks = {api.world.store.get(name).quirks for name in api.batches}

    assert quirks == {("passes",)}
