"""The sandbox's own prices, compared with figures calculated by hand."""

from decimal import Decimal

import pytest

from batches.sandbox.messages import MODELS, RESOLVED
from batches.sandbox.prices import PRICES, Used, cents, cost, dollars

MILLION = 1_000_000


def billed(model: str, **used) -> Decimal:
    return dollars(cost(model, Used(**used)).amount)


@pytest.mark.parametrize(
    ("model", "input", "output", "write_5m", "write_1h", "read"),
    [
        ("claude-fable-5-2", "4", "20", "5", "8", "0.1"),
        ("claude-mythos-5-2", "4", "20", "5", "8", "0.1"),
        ("claude-mythos-5-1", "5", "25", "6.25", "10", "0.5"),
        ("claude-fable-5-1", "5", "25", "6.25", "10", "0.125"),
        ("claude-opus-5-5", "2", "10", "2.5", "4", "0.1"),
        ("claude-opus-4-5-20251101", "2.5", "12.5", "3.125", "5", "0.25"),
        ("claude-sonnet-5-5", "1", "5", "1.25", "2", "0.05"),
        ("claude-sonnet-5", "1", "5", "1.25", "2", "0.1"),
        ("claude-sonnet-4-6", "1.5", "7.5", "1.875", "3", "0.15"),
        ("claude-haiku-4-5-20251001", "0.5", "2.5", "0.625", "1", "0.05"),
    ],
)
def test_a_million_tokens_cost_what_the_table_says(model, input, output, write_5m, write_1h, read):
    costs = [
        billed(model, input=MILLION),
        billed(model, output=MILLION),
        billed(model, cache_write_5m=MILLION),
        billed(model, cache_write_1h=MILLION),
        billed(model, cache_read=MILLION),
    ]

    assert costs == [Decimal(each) for each in (input, output, write_5m, write_1h, read)]


def test_every_model_that_the_sandbox_uses_has_a_price():
    models = {RESOLVED.get(model, model) for model in MODELS}

    assert models <= set(PRICES)


def test_a_prompt_over_100k_moves_a_whole_haiku_request_to_the_upper_tier():
    lower = billed("claude-haiku-5-5", input=60_000, cache_read=40_000, output=1000)
    upper = billed("claude-haiku-5-5", input=60_001, cache_read=40_000, output=1000)

    # (60,000 * 0.05 + 40,000 * 0.005 + 1,000 * 0.25) / 1,000,000, then with the upper prices.
    assert lower == Decimal("0.00345")
    assert upper == Decimal("0.01725025")


def test_cache_writes_count_towards_the_tier():
    upper = billed("claude-haiku-5-5", cache_write_5m=50_000, cache_write_1h=50_001)

    assert upper == (Decimal("0.3125") * 50_000 + Decimal("0.5") * 50_001) / MILLION


def test_other_models_have_one_tier():
    assert billed("claude-sonnet-5-5", input=200_000) == Decimal("0.2")


def test_us_inference_adds_a_tenth_to_tokens_but_not_to_searches():
    elsewhere = billed("claude-haiku-5-5", input=1, cache_read=1, web_searches=3, geo="global")
    us = billed("claude-haiku-5-5", input=1, cache_read=1, web_searches=3, geo="us")

    assert elsewhere == Decimal("0.030000055")
    assert us == Decimal("0.0300000605")


def test_the_list_price_doubles_tokens_but_not_searches():
    opus = cost("claude-opus-5-5", Used(input=1000, output=100, web_searches=1, geo="us"))

    # 1.1 * (1,000 * 2 + 100 * 10) / 1,000,000, and a cent for the search.
    assert dollars(opus.amount) == Decimal("0.0133")
    assert dollars(opus.list_amount) == Decimal("0.0166")


def test_a_model_without_a_price_is_not_free():
    assert billed("claude-whatever-9", input=MILLION) == 5


@pytest.mark.parametrize(
    ("picodollars", "text"),
    [
        (0, "0"),
        (10**10, "1"),
        (123 * 10**10, "123"),
        (12_345_678_901, "1.2345678901"),
        (50_000, "0.000005"),
        (100 * 10**10 + 5 * 10**9, "100.5"),
    ],
)
def test_cents_are_written_in_full(picodollars, text):
    assert cents(picodollars) == text
