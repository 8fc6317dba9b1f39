"""The built-in prices against the genai-prices package: every model, class of tokens and tier."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price

from batches.pricing import Cost, Quantities, load_prices
from tests.batches.pricing.brackets import bracket

TABLE = load_prices()
# genai-prices has batch prices from 2026-10-14 on, and full prices for earlier days.
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
# For these, genai-prices has no batch prices and returns the full ones.
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

# One request of each kind, named for the class that most of its cost is for.
KINDS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
PROMPTS = (100_000, 100_001, 200_000, 200_001)

# genai-prices has no tier for Sonnet 4's long prompts, no search price for Claude 3, and for Sonnet
# 5.5 only the price of cache reads since 2026-10-07.
ONLY_BUILT_IN = {
    *(("claude-sonnet-4", date(2025, 5, 14), kind, 200_001) for kind in KINDS),
    *(("claude-sonnet-5-5", date(2026, 9, 28), "cache_read", prompt) for prompt in PROMPTS),
}
WITHOUT_SEARCHES = {"claude-3-haiku", "claude-3-opus"}


def built_in(model: str, day: date, kind: str, prompt: int, searches: int = 0) -> Cost:
    prompt_as = {"output": "input_tokens", "input": "input_tokens"}.get(kind, f"{kind}_tokens")
    quantities = Quantities(
        **{prompt_as: prompt},
        output_tokens=prompt if kind == "output" else 0,
        web_searches=searches,
    )
    cost = TABLE.cost(quantities, model, day, **bracket(TABLE, prompt))
    assert cost is not None
    return cost


def genai(
    model: str, day: date, kind: str, prompt: int, *, batch: bool, searches: int = 0
) -> Decimal:
    # Here input_tokens are the whole prompt, and cache_write_tokens the writes of both kinds.
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
        genai(model, TODAY, "input", 1, batch=True)
    except LookupError:
        return False
    return True


def test_every_model_is_compared():
    models = {price.model for price in TABLE.prices}

    assert {model for model in models if is_known(model)} == PRICED_FOR_BATCHES | RETIRED
    assert {model for model in models if not is_known(model)} == UNKNOWN_TO_GENAI


@pytest.mark.parametrize("model", sorted(PRICED_FOR_BATCHES))
def test_a_batch_costs_what_genai_prices_says(model):
    requests = list(compared(model))

    assert len(requests) == 20
    for request in requests:
        assert built_in(model, TODAY, *request).total == genai(model, TODAY, *request, batch=True)


@pytest.mark.parametrize("model", sorted(RETIRED))
def test_a_retired_model_at_full_price_costs_what_genai_prices_says(model):
    requests = list(compared(model))

    assert len(requests) == (15 if model == "claude-sonnet-4" else 20)
    for request in requests:
        assert built_in(model, TODAY, *request).standard == genai(
            model, TODAY, *request, batch=True
        )


def test_each_row_agrees_on_its_first_day():
    days = {(price.model, price.effective_from) for price in TABLE.prices}

    differing = {
        (model, day, kind, prompt)
        for model, day in days
        for kind in KINDS
        for prompt in PROMPTS
        if built_in(model, day, kind, prompt).standard
        != genai(model, day, kind, prompt, batch=False)
    }

    assert differing == ONLY_BUILT_IN


@pytest.mark.parametrize("model", sorted(PRICED_FOR_BATCHES | RETIRED))
def test_searches_cost_what_genai_prices_says(model):
    batch = model in PRICED_FOR_BATCHES
    before = genai(model, TODAY, "input", 1000, batch=batch)
    after = genai(model, TODAY, "input", 1000, batch=batch, searches=7)

    own = (
        built_in(model, TODAY, "input", 1000, 7).total - built_in(model, TODAY, "input", 1000).total
    )

    assert own == Decimal("0.07")
    assert after - before == (0 if model in WITHOUT_SEARCHES else own)


@pytest.mark.parametrize(
    "model", ["claude-mythos-5-1", "claude-mythos-5", "claude-mythos-preview", "claude-opus-6"]
)
def test_a_model_that_genai_prices_does_not_know_has_no_built_in_price(model):
    assert not is_known(model)
    assert model not in {price.model for price in TABLE.prices}
