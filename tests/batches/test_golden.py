"""Results files written by hand, and what they cost, worked out by hand from the price list.

Prices are the batch's, in USD per million tokens, as the vendor's page gives them.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from batches.costs import cost_of
from batches.models import Batch
from tests.working import ingest

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def read(answering):
    def read(name: str) -> Batch:
        content = (GOLDEN / f"{name}.jsonl").read_bytes()
        batch = answering(content, requests=content.count(b"\n"))
        assert ingest(batch)
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
    assert batch.ingestion.outcomes == {
        "succeeded": 2,
        "withheld": 1,
        "errored": 2,
        "canceled": 1,
        "expired": 1,
    }
    assert batch.ingestion.stop_reasons == {"end_turn": 1, "refusal": 1}
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
    assert batch.ingestion.odd_lines == 0
    assert batch.ingestion.stop_reasons == {"end_turn": 4, "not stated": 1}
