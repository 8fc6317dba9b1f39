from datetime import date, timedelta
from decimal import Decimal

import pytest

from batches.pricing import Quantities, load_prices, model_name
from tests.batches.pricing.brackets import bracket

TABLE = load_prices()
TODAY = date(2026, 11, 24)
MILLION = 1_000_000
CLASSES = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")

# Anthropic's batch prices of November 2026: input, output, 5-minute and 1-hour write, read.
PUBLISHED = {
    "claude-fable-5-2": ("4", "20", "5", "8", "0.10"),
    "claude-mythos-5-2": ("4", "20", "5", "8", "0.10"),
    "claude-fable-5-1": ("5", "25", "6.25", "10", "0.125"),
    "claude-opus-5-5": ("2", "10", "2.50", "4", "0.10"),
    "claude-opus-5": ("2.50", "12.50", "3.125", "5", "0.25"),
    "claude-opus-4-8": ("2.50", "12.50", "3.125", "5", "0.25"),
    "claude-opus-4-7": ("2.50", "12.50", "3.125", "5", "0.25"),
    "claude-opus-4-6": ("2.50", "12.50", "3.125", "5", "0.25"),
    "claude-opus-4-5-20251101": ("2.50", "12.50", "3.125", "5", "0.25"),
    "claude-sonnet-5-5": ("1", "5", "1.25", "2", "0.05"),
    "claude-sonnet-5": ("1", "5", "1.25", "2", "0.10"),
    "claude-sonnet-4-6": ("1.50", "7.50", "1.875", "3", "0.15"),
    "claude-sonnet-4-5-20250929": ("1.50", "7.50", "1.875", "3", "0.15"),
    "claude-haiku-5-5": ("0.05", "0.25", "0.0625", "0.10", "0.005"),
    "claude-haiku-4-5-20251001": ("0.50", "2.50", "0.625", "1", "0.05"),
}
PUBLISHED_OVER_100K = {"claude-haiku-5-5": ("0.25", "1.25", "0.3125", "0.50", "0.025")}
# Half of Anthropic's price for prompts of this length until 2026-04-30.
PUBLISHED_OVER_200K = {
    "claude-sonnet-4-20250514": ("3", "11.25", "3.75", "6", "0.30"),
    "claude-sonnet-4-5-20250929": ("3", "11.25", "3.75", "6", "0.30"),
}

# IDs as results files have them.
RETIRED = [
    "claude-opus-4-1-20250805",
    "claude-opus-4-20250514",
    "claude-sonnet-4-20250514",
    "claude-3-7-sonnet-20250219",
    "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku-20241022",
    "claude-3-opus-20240229",
    "claude-3-haiku-20240307",
]

# When the official Python SDK's changelog lists the models whose IDs have no date.
RELEASES = {
    "claude-fable-5-2": "2026-11-09",
    "claude-mythos-5-2": "2026-11-09",
    "claude-haiku-5-5": "2026-10-07",
    "claude-sonnet-5-5": "2026-09-28",
    "claude-opus-5-5": "2026-09-22",
    "claude-fable-5-1": "2026-09-01",
    "claude-opus-5": "2026-07-24",
    "claude-sonnet-5": "2026-06-30",
    "claude-fable-5": "2026-06-09",
    "claude-opus-4-8": "2026-05-28",
    "claude-opus-4-7": "2026-04-16",
    "claude-sonnet-4-6": "2026-02-17",
    "claude-opus-4-6": "2026-02-05",
}


def each_class_alone():
    for published, prompt in (
        (PUBLISHED, 100_000),
        (PUBLISHED_OVER_100K, 100_001),
        (PUBLISHED_OVER_200K, 200_001),
    ):
        for model, figures in published.items():
            for number, figure in enumerate(figures):
                yield model, prompt, number, figure


@pytest.mark.parametrize(("model", "prompt", "number", "expected"), list(each_class_alone()))
def test_a_million_tokens_of_one_class_cost_what_is_published(model, prompt, number, expected):
    quantities = Quantities(*[MILLION if number == at else 0 for at in range(6)])

    cost = TABLE.cost(quantities, model, TODAY, **bracket(TABLE, prompt))

    assert cost.total == Decimal(expected)
    assert cost.standard == 2 * Decimal(expected)


@pytest.mark.parametrize("model", [*PUBLISHED, *RETIRED])
def test_each_model_is_found_by_the_id_in_a_result(model):
    assert TABLE.price_of(model, TODAY, prompt_up_to=100_000).model == model_name(model)


def test_the_boundaries_are_those_of_all_models():
    assert TABLE.boundaries == (100_000, 200_000)


@pytest.mark.parametrize("row", TABLE.prices, ids=lambda row: row.name)
def test_each_built_in_row_has_anthropics_proportions(row):
    # Claude 3 Haiku is older than the proportions: its five-minute writes cost 1.2 times its input.
    factor = "1.2" if row.model == "claude-3-haiku" else "1.25"

    assert row.cache_write_5m == Decimal(factor) * row.input
    assert row.cache_write_1h == 2 * row.input
    assert 0 < row.cache_read < row.input < row.cache_write_5m < row.cache_write_1h < row.output
    assert row.web_search == 10
    assert row.source == "built in"


@pytest.mark.parametrize("row", TABLE.prices, ids=lambda row: row.name)
def test_a_batch_costs_half_in_each_class_of_each_built_in_row(row):
    quantities, terms = Quantities(*[MILLION] * 5), bracket(TABLE, row.prompt_over + 1)

    cost = TABLE.cost(quantities, row.model, row.effective_from, **terms)

    assert cost.price is row
    assert [part.standard_amount for part in cost.parts] == [getattr(row, name) for name in CLASSES]
    assert [2 * part.amount for part in cost.parts] == [getattr(row, name) for name in CLASSES]


def test_a_model_is_priced_from_its_first_day():
    ids = [*PUBLISHED, *RETIRED, "claude-3-5-sonnet-20240620"]
    days = {model: date.fromisoformat(day) for model, day in RELEASES.items()}
    days |= {model: date.fromisoformat(model[-8:]) for model in ids if "-20" in model}

    first_days = {
        row.model: min(each.effective_from for each in TABLE.prices if each.model == row.model)
        for row in TABLE.prices
    }

    # If a model has two IDs, the earlier one counts.
    assert first_days == {
        model_name(model): day for model, day in sorted(days.items(), reverse=True)
    }


def test_a_built_in_model_used_before_its_date_has_its_first_price():
    # Its cache reads cost twice as much until 2026-10-07.
    model, first = "claude-sonnet-5-5", date(2026, 9, 28)

    found = TABLE.price_of(model, first - timedelta(days=30), prompt_up_to=100_000)

    assert found == TABLE.price_of(model, first, prompt_up_to=100_000)
    assert found != TABLE.price_of(model, TODAY, prompt_up_to=100_000)
