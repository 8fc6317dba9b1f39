"""Bills: computed once, kept after deletion, and without blocking other calls."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest

from batches.sandbox import billing
from batches.sandbox.refusals import RefusalError
from tests.sandbox.conftest import BATCHES, create, results

SONNET = {"models": ["claude-sonnet-5-5"]}


def sonnet_dollars(lines):
    """The cost of a batch of claude-sonnet-5-5, line by line, in US dollars."""
    total = Decimal(0)
    for line in lines:
        if line["result"]["type"] != "succeeded":
            continue
        usage = line["result"]["message"]["usage"]
        lifetimes = usage["cache_creation"] or {}
        tokens = Decimal(usage["input_tokens"]) * 1
        tokens += Decimal(usage["output_tokens"]) * 5
        tokens += lifetimes.get("ephemeral_5m_input_tokens", 0) * Decimal("1.25")
        tokens += lifetimes.get("ephemeral_1h_input_tokens", 0) * 2
        tokens += (usage["cache_read_input_tokens"] or 0) * Decimal("0.05")
        if usage.get("inference_geo") == "us":
            tokens *= Decimal("1.1")
        searches = (usage.get("server_tool_use") or {}).get("web_search_requests", 0)
        total += tokens / 1_000_000 + searches * Decimal("0.01")
    return total


def test_a_batch_costs_the_sum_of_its_succeeded_lines(api, http):
    # Several, so that caching, searches and inference in the US all occur.
    ids = [
        api.add_batch(status="ended", succeeded=60, errored=3, canceled=5, **SONNET)
        for _ in range(25)
    ]

    for batch_id in ids:
        assert api.billed(batch_id) == sonnet_dollars(results(http, batch_id))


def test_pricing_the_plain_usage_gives_the_bill(api):
    prices = {False: Decimal("0.05"), True: Decimal("0.25")}
    answers = {False: Decimal("0.25"), True: Decimal("1.25")}
    batch_id = api.add_batch(status="ended", requests=300, models=["claude-haiku-5-5"])

    usage = api.usage(batch_id)

    assert {is_long for _, is_long, _ in usage} == {True, False}
    expected = Decimal(0)
    for (_, is_long, geo), counts in usage.items():
        tokens = prices[is_long] * (
            counts["input_tokens"]
            + counts["cache_write_5m_tokens"] * Decimal("1.25")
            + counts["cache_write_1h_tokens"] * 2
            + counts["cache_read_tokens"] * Decimal("0.1")
        )
        tokens += answers[is_long] * counts["output_tokens"]
        expected += tokens * (Decimal("1.1") if geo == "us" else 1) / 1_000_000
        expected += counts["web_searches"] * Decimal("0.01")
    assert api.billed(batch_id) == expected


def test_the_plain_usage_sums_up_the_file(api, http):
    batch_id = api.add_batch(status="ended", succeeded=80, errored=20)

    usage = api.usage(batch_id).values()
    messages = [
        line["result"]["message"]
        for line in results(http, batch_id)
        if line["result"]["type"] == "succeeded"
    ]

    assert sum(counts["requests"] for counts in usage) == 80
    assert sum(counts["output_tokens"] for counts in usage) == sum(
        message["usage"]["output_tokens"] for message in messages
    )


@pytest.mark.parametrize("status", ["in_progress", "canceling"])
def test_nothing_is_billed_before_the_end(api, status):
    batch_id = api.add_batch(status=status)

    assert api.billed(batch_id) == 0
    with pytest.raises(RefusalError):
        api.usage(batch_id)


def test_only_succeeded_requests_are_billed(api):
    batch_id = api.add_batch(status="ended", errored=4, canceled=3, expired=3)

    assert api.billed(batch_id) == 0


def test_cache_writes_without_a_lifetime_are_billed_as_five_minute_ones(api, http):
    # One result in ten does not say how long its cache writes stay.
    batches = [
        api.add_batch(status="ended", requests=200, odd_lines=True, **SONNET) for _ in range(8)
    ]
    without_lifetime = [
        line["result"]["message"]["usage"]["cache_creation_input_tokens"] or 0
        for batch_id in batches
        for line in results(http, batch_id)
        if line["result"]["type"] == "succeeded"
        and line["result"]["message"]["usage"]["cache_creation"] is None
    ]

    bills = [api.billed(batch_id) for batch_id in batches]
    stated = [sonnet_dollars(results(http, batch_id)) for batch_id in batches]

    assert sum(without_lifetime) > 0
    # None of these batches ran in the US, so a five-minute write has its normal price.
    assert sum(bills) - sum(stated) == sum(without_lifetime) * Decimal("1.25") / 1_000_000


def test_an_archived_batch_is_billed(api):
    batch_id = api.add_batch(status="ended", created_at=api.now() - timedelta(days=40))

    assert api.billed(batch_id) > 0
    assert api.usage(batch_id)


def test_a_deleted_batch_stays_billed(api, http):
    deleted, removed = (api.add_batch(status="ended", **SONNET) for _ in range(2))
    costs = [sonnet_dollars(results(http, each)) for each in (deleted, removed)]

    http.delete(f"{BATCHES}/{deleted}")
    api.remove(removed)

    assert api.batches == {}
    assert [api.billed(deleted), api.billed(removed)] == costs


def test_a_created_batch_is_billed_for_the_requested_model(api, http, clock):
    batch_id = create(http, *"abcdefghij", model="claude-sonnet-5-5")["id"]
    clock.forward(hours=24)

    assert {model for model, _, _ in api.usage(batch_id)} == {"claude-sonnet-5-5"}
    assert api.billed(batch_id) == sonnet_dollars(results(http, batch_id)) > 0


def test_a_reused_id_is_billed_again(api, http):
    api.add_batch("msgbatch_again", status="ended", requests=5, **SONNET)
    api.remove("msgbatch_again")
    api.add_batch("msgbatch_again", status="ended", requests=50, **SONNET)

    expected = sonnet_dollars(results(http, "msgbatch_again"))

    assert api.billed("msgbatch_again") == expected


def test_a_batch_that_never_existed_has_no_bill(api):
    with pytest.raises(RefusalError):
        api.billed("msgbatch_never")


def test_a_bill_is_computed_once(make_api, monkeypatch, tmp_path):
    files = []
    monkeypatch.setattr(
        billing, "results_file", lambda batch, *rest: files.append(batch.id) or iter(())
    )
    before = make_api(state_path=tmp_path / "sandbox.db")
    batch_id = before.add_batch(status="ended")
    nothing = before.add_batch(status="ended", errored=10)

    before.world.ledger.settle()
    before.world.ledger.settle()
    before.billed(batch_id)
    make_api(state_path=tmp_path / "sandbox.db").world.ledger.settle()

    assert files == [batch_id, nothing]


def test_the_store_is_not_locked_while_a_file_is_priced(api, ask, monkeypatch):
    batch_id = api.add_batch(status="ended")
    started, resume = threading.Event(), threading.Event()

    def slow_file(*_):
        started.set()
        assert resume.wait(10)
        return iter(())

    monkeypatch.setattr(billing, "results_file", slow_file)
    pricing = threading.Thread(target=api.world.ledger.settle)
    pricing.start()
    assert started.wait(10)

    listed = ask(api).get(BATCHES)
    added = api.add_batch()
    resume.set()
    pricing.join()

    assert [batch["id"] for batch in listed.json()["data"]] == [batch_id]
    assert added in api.batches


def test_a_batch_deleted_while_it_is_priced_is_billed_once(api, http, clock, monkeypatch):
    ids = [f"ticket-{at}" for at in range(50)]
    batch_id = create(http, *ids, model="claude-sonnet-5-5")["id"]
    clock.forward(hours=24)
    expected = sonnet_dollars(results(http, batch_id))
    real = billing.results_file

    def deleted_first(batch, stored, seed):
        monkeypatch.setattr(billing, "results_file", real)
        http.delete(f"{BATCHES}/{batch.id}")
        return real(batch, stored, seed)

    monkeypatch.setattr(billing, "results_file", deleted_first)
    api.world.ledger.settle()

    assert api.batches == {}
    assert api.billed(batch_id) == expected
