"""The table against genai-prices, which others keep: every model, class of tokens and tier."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price

from batches.pricing import Cost, Quantities, load_prices
from tests.batches.pricing.brackets import bracket

TABLE = load_prices()
# genai-prices has batch prices from 2026-10-14 on, and the full ones for any day before.
TODAY = date(2026, 11, 24)

PRICED_FOR_BATCHES = {
    "claude-fable-5",
    "claude-fable-5-1",
    "claude-fable-5-2",
    "claude-haiku-4-5",
    "claude-haiku-5-5",
    "claude-mythos-5-2",
    "claude-opus-4-5",
    "claude-opus-4-6",
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-opus-5-5",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-sonnet-5",
    "claude-sonnet-5-5",
}
# Asked for a batch price it gives the full one.
RETIRED = {
    "claude-3-5-haiku",
    "claude-3-5-sonnet",
    "claude-3-7-sonnet",
    "claude-3-haiku",
    "claude-3-opus",
    "claude-opus-4",
    "claude-opus-4-1",
    "claude-sonnet-4",
}
UNKNOWN_TO_GENAI: set[str] = set()

# One request of each kind, told apart by what most of its money goes to.
KINDS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
PROMPTS = (100_000, 100_001, 200_000, 200_001)

# genai-prices keeps no tier for Sonnet 4's long prompts and no search price for Claude 3, and of
# Sonnet 5.5 only the price of cache reads that holds since 2026-10-07.
OURS_ALONE = {
    *(("claude-sonnet-4", date(2025, 5, 14), kind, 200_001) for kind in KINDS),
    *(("claude-sonnet-5-5", date(2026, 9, 28), "cache_read", prompt) for prompt in PROMPTS),
}
WITHOUT_SEARCHES = {"claude-3-haiku", "claude-3-opus"}


def ours(model: str, day: date, kind: str, prompt: int, searches: int = 0) -> Cost:
    prompt_as = {"output": "input_tokens", "input": "input_tokens"}.get(kind, f"{kind}_tokens")
    quantities = Quantities(
        **{prompt_as: prompt},
        output_tokens=prompt if kind == "output" else 0,
        web_searches=searches,
    )
    cost = TABLE.cost(quantities, model, day, **bracket(TABLE, prompt))
    assert cost is not None
    return cost


def theirs(
    model: str, day: date, kind: str, prompt: int, *, batch: bool, searches: int = 0
) -> Decimal:
    # Its input_tokens are the whole prompt, and its cache_write_tokens those of both kinds.
    usage = Usage(
        input_tokens=prompt,
        output_tokens=prompt if kind == "output" else 0,
        cache_read_tokens=prompt if kind == "cache_read" else 0,
        cache_write_tokens=prompt if kind.startswith("cache_write") else 0,
        cache_write_1h_tokens=prompt if kind == "cache_write_1h" else 0,
        web_searches=searches,
    )
    return calc_price(
        usage,
        model,
        provider_id="anthropic",
        genai_request_timestamp=datetime.combine(day, time(12), UTC),
        price_context={"processing": "batch"} if batch else None,
    ).total_price


def compared(model: str) -> Iterator[tuple[str, int]]:
    for kind in KINDS:
        for prompt in PROMPTS:
            if model != "claude-sonnet-4" or prompt <= 200_000:
                yield kind, prompt


def is_known(model: str) -> bool:
    try:
        theirs(model, TODAY, "input", 1, batch=True)
    except LookupError:
        return False
    return True


def test_no_model_of_the_table_is_left_out():
    models = {price.model for price in TABLE.prices}

    assert {model for model in models if is_known(model)} == PRICED_FOR_BATCHES | RETIRED
    assert {model for model in models if not is_known(model)} == UNKNOWN_TO_GENAI


@pytest.mark.parametrize("model", sorted(PRICED_FOR_BATCHES))
def test_a_batch_costs_what_genai_prices_says(model):
    requests = list(compared(model))

    assert len(requests) == 20
    for request in requests:
        assert ours(model, TODAY, *request).total == theirs(model, TODAY, *request, batch=True)


@pytest.mark.parametrize("model", sorted(RETIRED))
def test_a_retired_model_at_full_price_costs_what_genai_prices_says(model):
    requests = list(compared(model))

    assert len(requests) == (15 if model == "claude-sonnet-4" else 20)
    for request in requests:
        assert ours(model, TODAY, *request).standard == theirs(model, TODAY, *request, batch=True)


def test_each_row_agrees_on_its_first_day():
    days = {(price.model, price.effective_from) for price in TABLE.prices}

    differing = {
        (model, day, kind, prompt)
        for model, day in days
        for kind in KINDS
        for prompt in PROMPTS
        if ours(model, day, kind, prompt).standard != theirs(model, day, kind, prompt, batch=False)
    }

    assert differing == OURS_ALONE


@pytest.mark.parametrize("model", sorted(PRICED_FOR_BATCHES | RETIRED))
def test_searches_cost_what_genai_prices_says(model):
    batch = model in PRICED_FOR_BATCHES
    before = theirs(model, TODAY, "input", 1000, batch=batch)
    after = theirs(model, TODAY, "input", 1000, batch=batch, searches=7)

    by_us = ours(model, TODAY, "input", 1000, 7).total - ours(model, TODAY, "input", 1000).total

    assert by_us == Decimal("0.07")
    assert after - before == (0 if model in WITHOUT_SEARCHES else by_us)


@pytest.mark.parametrize(
    "model", ["claude-mythos-5-1", "claude-mythos-5", "claude-mythos-preview", "claude-opus-6"]
)
def test_what_genai_prices_does_not_know_has_no_price_here(model):
    assert not is_known(model)
    assert model not in {price.model for price in TABLE.prices}
