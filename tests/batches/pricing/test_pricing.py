from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.pricing import (
    BATCH_FACTOR,
    US_FACTOR,
    CostPart,
    Price,
    PriceTable,
    Quantities,
    load_prices,
    model_name,
)
from tests.batches.pricing.brackets import bracket

TABLE = load_prices()
TODAY = date(2026, 11, 24)
MILLION = 1_000_000
CLASSES = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")


def price(model="m", start="2026-01-01", prompt_over=0, *, each="2", web_search="10"):
    figures = {name: Decimal(each) for name in CLASSES}
    return Price(
        model=model,
        effective_from=date.fromisoformat(start),
        **figures,
        web_search=Decimal(web_search),
        prompt_over=prompt_over,
        source="test",
    )


def total(quantities, model="claude-opus-5", day=TODAY, **details):
    cost = TABLE.cost(quantities, model, day, **details)
    return cost and cost.total


def test_one_token_over_the_threshold_raises_the_price_of_all_tokens():
    model, at, above = "claude-haiku-5-5", bracket(TABLE, 100_000), bracket(TABLE, 100_001)

    short = total(Quantities(100_000, 1_000), model, **at)
    long = total(Quantities(100_001, 1_000), model, **above)

    # Per million: 100,000 at 0.05 and 1,000 at 0.25; then 100,001 at 0.25 and 1,000 at 1.25.
    assert short == Decimal("0.00525")
    assert long == Decimal("0.02625025")


@pytest.mark.parametrize(
    ("geo", "expected"),
    [("us", "30.25"), ("global", "27.5"), ("not_available", "27.5"), ("", "27.5")],
)
def test_inference_in_the_us_costs_a_tenth_more(geo, expected):
    quantities = Quantities(input_tokens=MILLION, output_tokens=2 * MILLION)

    assert total(quantities, inference_geo=geo) == Decimal(expected)


@pytest.mark.parametrize("geo", ["us", "global"])
def test_searches_cost_the_same_in_a_batch_and_in_the_us(geo):
    cost = TABLE.cost(Quantities(web_searches=250), "claude-opus-5", TODAY, inference_geo=geo)

    assert cost.total == cost.standard == Decimal("2.50")
    assert cost.parts[0].factors == ()


def test_a_cost_shows_the_arithmetic_of_each_class_that_was_used():
    quantities = Quantities(input_tokens=3000, cache_read_tokens=40_000, web_searches=5)

    cost = TABLE.cost(quantities, "claude-opus-5", TODAY, inference_geo="us")

    factors = (("batch", BATCH_FACTOR), ("inference in the US", US_FACTOR))
    assert cost.parts == (
        # 3,000 at 5 per million, halved, and a tenth more.
        CostPart(
            "input_tokens",
            3000,
            Decimal(5),
            MILLION,
            factors,
            Decimal("0.00825"),
            Decimal("0.0165"),
        ),
        # 40,000 at 0.50 per million, halved, and a tenth more.
        CostPart(
            "cache_read_tokens",
            40_000,
            Decimal("0.5"),
            MILLION,
            factors,
            Decimal("0.011"),
            Decimal("0.022"),
        ),
        # 5 at 10 per thousand.
        CostPart("web_searches", 5, Decimal(10), 1000, (), Decimal("0.05"), Decimal("0.05")),
    )
    assert cost.total == Decimal("0.06925")
    assert cost.standard == Decimal("0.0885")
    assert cost.price.name == "claude-opus-5, from 2026-07-24"


def test_nothing_used_costs_nothing():
    cost = TABLE.cost(Quantities(), "claude-opus-5", TODAY)

    assert cost.parts == ()
    assert cost.total == cost.standard == 0


@pytest.mark.parametrize(
    "model",
    [
        "claude-opus-5-6",
        "claude-opus-5-5-5",
        "claude-opus",
        "claude-opus-5-",
        "claude-opus-5-latest",
        "Claude-Opus-5",
        "claude-mythos-5-1",
        "claude-mythos-5",
        "claude-mythos-preview",
        "gpt-7",
        "",
    ],
)
def test_the_cost_of_an_unknown_model_is_unknown(model):
    assert TABLE.price_of(model, TODAY, prompt_up_to=100_000) is None
    assert TABLE.cost(Quantities(input_tokens=1), model, TODAY, prompt_up_to=100_000) is None


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("claude-3-7-sonnet-20250219", "claude-3-7-sonnet"),
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("claude-opus-4-2025051", "claude-opus-4-2025051"),
        ("claude-opus-4-202505144", "claude-opus-4-202505144"),
        ("claude-opus-4-20250514-v1", "claude-opus-4-20250514-v1"),
        ("claude-opus-4-20250514\n", "claude-opus-4-20250514\n"),
        ("claude-opus-4@20250514", "claude-opus-4@20250514"),
    ],
)
def test_only_a_date_at_the_end_is_dropped_from_an_id(model, name):
    assert model_name(model) == name


@pytest.mark.parametrize(
    ("model", "day", "expected"),
    [
        # Before its date a model has its first price.
        ("claude-sonnet-5-5", "2026-09-27", "0.10"),
        ("claude-sonnet-5-5", "2026-09-28", "0.10"),
        ("claude-sonnet-5-5", "2026-10-06", "0.10"),
        ("claude-sonnet-5-5", "2026-10-07", "0.05"),
        ("claude-sonnet-5-5", "2027-12-31", "0.05"),
        ("claude-opus-4-6", "2026-02-04", "0.50"),
        ("claude-opus-4-6", "2026-03-12", "0.50"),
        ("claude-opus-4-6", "2026-03-13", "0.25"),
    ],
)
def test_the_newest_row_in_effect_applies(model, day, expected):
    # For prompts over 200,000 tokens, Opus 4.6 had a tier until 2026-03-12.
    cost = total(
        Quantities(cache_read_tokens=MILLION), model, date.fromisoformat(day), prompt_over=200_000
    )

    assert cost == Decimal(expected)


def test_the_order_of_rows_does_not_matter():
    rows = [
        price(start="2026-03-01", each="3"),
        price(start="2026-01-01", each="1"),
        price(start="2026-02-01", each="2"),
    ]

    for table in (PriceTable(rows), PriceTable(reversed(rows))):
        assert table.price_of("m", date(2026, 2, 28)).input == 2
        assert table.price_of("m", date(2026, 3, 1)).input == 3


@pytest.mark.parametrize(
    ("model", "over", "up_to", "expected"),
    [
        ("claude-haiku-5-5", 0, 100_000, "0.10"),
        ("claude-haiku-5-5", 100_000, 200_000, "0.50"),
        ("claude-haiku-5-5", 200_000, None, "0.50"),
        ("claude-haiku-5-5", 100_000, None, "0.50"),
        ("claude-haiku-5-5", 0, None, None),
        ("claude-haiku-5-5", 0, 100_001, None),
        ("claude-haiku-5-5", 99_999, 200_000, None),
        ("claude-sonnet-4-5", 0, 100_000, "3"),
        ("claude-sonnet-4-5", 100_000, 200_000, "3"),
        ("claude-sonnet-4-5", 200_000, None, "6"),
        ("claude-sonnet-4-5", 100_000, None, None),
        ("claude-opus-5", 0, None, "5"),
        ("claude-opus-5", 0, 100_000, "5"),
        ("claude-opus-5", 100_000, 200_000, "5"),
        ("claude-opus-5", 200_000, None, "5"),
    ],
)
def test_prompts_on_both_sides_of_a_models_threshold_have_no_price(model, over, up_to, expected):
    found = TABLE.price_of(model, TODAY, prompt_over=over, prompt_up_to=up_to)

    assert (found and found.input) == (expected and Decimal(expected))


def test_the_highest_tier_that_a_prompt_reaches_applies():
    table = PriceTable([price(prompt_over=size, each=f"1{size}") for size in (50, 0, 10)])

    found = [
        table.price_of("m", TODAY, prompt_over=low, prompt_up_to=low + 10) for low in (0, 10, 50)
    ]

    assert [row.prompt_over for row in found] == [0, 10, 50]
    assert found[1].name == "m, prompts over 10 tokens, from 2026-01-01"
    assert table.price_of("m", TODAY, prompt_over=10, prompt_up_to=51) is None


def test_no_figure_is_ever_rounded():
    table = PriceTable([price(each="123456789.123456789012", web_search="0.000000000001")])
    count = 2**63 - 1

    cost = table.cost(Quantities(*[count] * 6), "m", TODAY, inference_geo="us")

    tokens = 5 * count * Fraction("123456789.123456789012") * Fraction(11, 10) / MILLION
    searches = count * Fraction("0.000000000001") / 1000
    assert Fraction(cost.total) == tokens / 2 + searches
    assert Fraction(cost.standard) == tokens + searches


counts = st.integers(0, 2**63)
quantities = st.builds(Quantities, *[counts] * 6)
brackets = st.sampled_from([(0, 100_000), (100_000, 200_000), (200_000, None)])
geos = st.sampled_from(["us", "global", "not_available", ""])
models = st.sampled_from(sorted({row.model for row in TABLE.prices}))


@given(st.lists(quantities, max_size=8), models, brackets, geos, st.randoms())
def test_costs_add_up_however_quantities_are_split_and_ordered(split, model, bracket, geo, random):
    def cost_of(each):
        return TABLE.cost(
            each,
            model,
            TODAY,
            inference_geo=geo,
            prompt_over=bracket[0],
            prompt_up_to=bracket[1],
        )

    together = cost_of(Quantities(*[sum(column) for column in zip(*split, strict=True)]))
    random.shuffle(split)
    apart = [cost_of(each) for each in split]

    for figure in ("total", "standard"):
        assert Fraction(getattr(together, figure)) == sum(
            Fraction(getattr(cost, figure)) for cost in apart
        )
    assert together.standard >= together.total >= 0
