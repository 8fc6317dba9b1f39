"""Results files written by hand, and what they cost, worked out by hand from the price list.

Prices are the batch's, in USD per million tokens, as Anthropic's page gives them.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from batches.models import Batch
from batches.spend.costs import cost_of
from tests.working import read_now

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def read(answering):
    def read(name: str) -> Batch:
        content = (GOLDEN / f"{name}.jsonl").read_bytes()
        batch = answering(content, requests=content.count(b"\n"))
        assert read_now(batch)
        return Batch.objects.get(pk=batch.pk)

    return read


def parts(batch: Batch) -> dict[str, Decimal]:
    """USD by what was billed, over all rows."""
    sums: dict[str, Decimal] = {}
    for row in cost_of(batch).rows:
        for part in row.cost.parts:
            sums[part.name] = sums.get(part.name, Decimal(0)) + part.amount
    return sums


def test_each_token_class_has_its_price(read):
    batch = read("token_classes")

    # claude-sonnet-4-6, a million tokens of each: 1.50, 7.50, 1.875, 3 and 0.15.
    assert parts(batch) == {
        "input_tokens": Decimal("1.50"),
        "output_tokens": Decimal("7.50"),
        "cache_write_5m_tokens": Decimal("1.875"),
        "cache_write_1h_tokens": Decimal(3),
        "cache_read_tokens": Decimal("0.15"),
    }
    assert cost_of(batch).total == Decimal("14.025")
    # Outside of a batch each would have cost twice as much.
    assert cost_of(batch).standard == Decimal("28.05")
    assert sum(row.thinking_tokens for row in batch.usage.all()) == 400_000


def test_a_tier_is_chosen_by_each_request_s_whole_prompt(read):
    batch = read("tiers")

    # claude-haiku-5-5. 100,000 tokens in and 1,000 out at 0.05 and 0.25 make 0.005 + 0.00025;
    # 100,001 in and 1,000 out at 0.25 and 1.25 make 0.02500025 + 0.00125; and 1 in, 60,000 read,
    # 10,000 written for 5 min and 30,000 for 1 h, 100,001 in all, at 0.25, 0.025, 0.3125 and 0.50
    # make 0.00000025 + 0.0015 + 0.003125 + 0.015.
    expected = Decimal("0.00525") + Decimal("0.02625025") + Decimal("0.01962525")
    assert cost_of(batch).total == expected


def test_the_us_cost_a_tenth_more_and_searches_are_not_halved(read):
    batch = read("geo_and_search")

    # claude-opus-5-5, a million in at 2 and a million out at 10, once times 1.1; five searches at
    # 10 for a thousand.
    assert cost_of(batch).total == Decimal("13.2") + Decimal(12) + Decimal("0.05")
    assert cost_of(batch).standard == Decimal("26.4") + Decimal(24) + Decimal("0.05")


def test_words_that_are_new_are_kept_and_never_priced_as_nothing(read):
    batch = read("odd_words")

    cost = cost_of(batch)
    # A refusal is billed: a million tokens in of claude-haiku-4-5 at 0.50.
    assert (cost.state, cost.total, cost.known) == ("unpriced", None, Decimal("0.50"))
    assert cost.unpriced_models == ["claude-unheard-of-9"]
    assert batch.reading.outcomes == {
        "succeeded": 2,
        "withheld": 1,
        "errored": 2,
        "canceled": 1,
        "expired": 1,
    }
    assert batch.reading.stop_reasons == {"end_turn": 1, "refusal": 1}
    failed = {row.custom_id: row for row in batch.failed_requests.all()}
    assert failed["errored"].error_type == "overloaded_error"
    assert failed["new-error"].error_type == "content_policy_error"
    assert failed["new-error"].request_id == "req_01"
    assert failed["new-type"].outcome == "withheld"


def test_missing_and_null_figures_are_read_as_the_api_means_them(read):
    batch = read("missing_and_null")

    # claude-sonnet-4-6. Twice a million in at 1.50; a million written without a lifetime, so for
    # 5 min, at 1.875; a million for 1 h at 3; and of another million 400,000 for 1 h and what is
    # left of it for 5 min: 1.20 + 1.125.
    assert cost_of(batch).total == Decimal(3) + Decimal("1.875") + Decimal(3) + Decimal("2.325")
    assert batch.reading.odd_lines == 0
    assert batch.reading.stop_reasons == {"end_turn": 4, "not stated": 1}


def test_tokens_of_other_passes_count_under_their_own_model(read):
    batch = read("passes")

    # claude-sonnet-5 at 1 and 5, claude-opus-4-8 at 2.50 and 12.50.
    # compacted: 23,000 + 180,000 in and 1,000 + 3,500 out make 0.203 + 0.0225.
    # advised: 12 in and 700 out, 0.000012 + 0.0035; the advisor's 90,000 in and 2,000 out are
    # 0.225 + 0.025 of claude-opus-4-8.
    # fallen-back: 1,000 in and 100 out, 0.001 + 0.0005; the passes say the same again.
    # compacted-elsewhere: a million in by claude-opus-4-8, 2.50. null and empty: 1 each.
    by_model: dict[str, Decimal] = {}
    for row in cost_of(batch).rows:
        by_model[row.usage.model] = by_model.get(row.usage.model, 0) + row.cost.total
    sonnet = Decimal("0.2255") + Decimal("0.003512") + Decimal("0.0015") + 2
    assert by_model == {"claude-sonnet-5": sonnet, "claude-opus-4-8": Decimal("2.75")}
    assert cost_of(batch).state == "computed"
    assert cost_of(batch).known_requests == cost_of(batch).requests == 6
    assert sum(row.requests for row in batch.usage.all()) == 6
    assert {(row.part, row.model, row.uses) for row in batch.usage.exclude(part="message")} == {
        ("compaction", "claude-sonnet-5", 1),
        ("compaction", "claude-opus-4-8", 1),
        ("advisor", "claude-opus-4-8", 1),
    }


def test_a_price_step_is_decided_by_each_pass_or_by_the_sum(read):
    batch = read("prompt_steps")

    # claude-haiku-5-5: in, out and read at 0.05, 0.25 and 0.005, over 100,000 tokens five times.
    # loop: three prompts of 42,000: 6,000 in, 900 out and 120,000 read make 0.0003 + 0.000225 +
    # 0.0006. sum: the same as one prompt of 126,000 tokens, five times that.
    # both-sides: 100,000 in and 10 out, 0.005 + 0.0000025; 100,001 in and 20 out, 0.02500025 +
    # 0.000025. The compactions: 100,000 in, 0.005, and 100,001 in, 0.02500025; each request has
    # 1,000 in and 10 out of its own, 0.00005 + 0.0000025.
    loop = Decimal("0.001125")
    both_sides = Decimal("0.0050025") + Decimal("0.02502525")
    compactions = Decimal("0.005") + Decimal("0.02500025") + 2 * Decimal("0.0000525")
    assert cost_of(batch).total == loop + 5 * loop + both_sides + compactions
    assert sum(row.requests for row in batch.usage.all()) == 5


def test_passes_that_do_not_add_up_have_a_price_only_where_no_step_lies_between_them(read):
    batch = read("prompts_not_known")

    cost = cost_of(batch)
    # Of 250,000 tokens in, 49,999 may be of any prompt, and the listed prompts lie on both sides
    # of the step. 90,000 can't be a prompt over 100,000: 0.0045. claude-sonnet-5 has no step: 1.
    assert (cost.state, cost.known) == ("unpriced", Decimal("1.0045"))
    assert cost.unpriced == {("prompt", "claude-haiku-5-5"): 1}
    assert (cost.known_requests, cost.requests) == (2, 3)


def test_a_request_is_priced_at_the_tier_where_it_ran(read):
    batch = read("service_tiers")

    cost = cost_of(batch)
    # claude-sonnet-5, a million in. Four in the batch: 1 each, 2 otherwise. Two at the standard
    # tier: 2 and a search at 0.01, and 2 times 1.1 in the US; nothing is saved by these.
    assert cost.known == 4 + Decimal("2.01") + Decimal("2.2")
    assert cost.standard == 8 + Decimal("2.01") + Decimal("2.2")
    assert cost.unpriced == {("tier", "fast"): 1, ("tier", "flex"): 1, ("tier", "priority"): 1}
    assert (cost.state, cost.known_requests, cost.requests) == ("unpriced", 6, 9)
    assert cost.off_tier == {"standard": 2, "priority": 1, "fast": 1, "flex": 1}


def test_fields_that_may_change_a_price_make_the_cost_of_their_requests_unknown(read):
    batch = read("unknown_fields")

    cost = cost_of(batch)
    # claude-sonnet-5, a million in, 1: of `known` and `zero` every field that has a figure is
    # known to be free.
    assert (cost.state, cost.known) == ("unpriced", 2)
    assert cost.unpriced == {
        ("field", "usage.cache_creation.ephemeral_1d_input_tokens"): 1,
        ("field", "usage.iterations: an entry without a type"): 1,
        ("field", "usage.iterations: compaction without figures"): 1,
        ("field", "usage.iterations: future_step"): 1,
        ("field", "usage.long_context"): 1,
        ("field", "usage.memory_tokens"): 1,
        ("field", "usage.server_tool_use.code_execution_requests"): 1,
        ("field", "usage.service_tier"): 1,
        ("geo", "eu"): 1,
    }
    assert (cost.known_requests, cost.requests) == (2, 11)
    assert batch.reading.odd_lines == 0
