import os
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from batches.pricing import BadPrices, Quantities, load_prices

ROOT = Path(__file__).resolve().parents[3]
TODAY = date(2026, 11, 24)

ENTRY = """
[[price]]
model = "claude-opus-5"
effective_from = 2026-11-01
input = "4"
output = "20"
cache_write_5m = "5"
cache_write_1h = "8"
cache_read = "0.4"
"""
OTHER_DATE = ENTRY.replace("2026-11-01", "2026-12-01").replace('"4"', '"3"')
KEYS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_search")
NO_PRICES = ("-4", "+4", "4e2", "NaN", "Infinity", "$4", "4,50", "1_000", "٤", " 4", "4.", ".4", "")
TIER = ENTRY.replace('"4"', '"6"') + "prompt_over = 50_000\n"


@pytest.fixture
def own_file(tmp_path):
    """A function that writes a price file and returns its path."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "own.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_a_model_in_the_users_file_is_priced_by_that_file_alone(own_file):
    path = own_file(ENTRY + OTHER_DATE)

    table = load_prices(path)

    assert table.price_of("claude-opus-5", date(2026, 11, 1)).input == 4
    assert table.price_of("claude-opus-5", date(2026, 12, 1)).input == 3
    assert table.price_of("claude-opus-5", date(2026, 12, 1)).source == str(path)
    # The built-in row of July no longer applies.
    assert table.price_of("claude-opus-5", date(2026, 10, 31)) is None


def test_the_other_models_keep_their_built_in_prices(own_file):
    table, built_in = load_prices(own_file(ENTRY)), load_prices()

    others = [price for price in built_in.prices if price.model != "claude-opus-5"]
    assert [price for price in table.prices if price.source == "built in"] == others
    assert len(table.prices) == len(others) + 1


def test_the_users_file_can_name_models_that_are_not_built_in(own_file):
    table = load_prices(str(own_file(ENTRY.replace("claude-opus-5", "claude-mythos-5"))))

    cost = table.cost(Quantities(1_000_000, web_searches=1), "claude-mythos-5", TODAY)

    # Half of 4, and a search at 10 per 1,000.
    assert cost.total == Decimal("2.01")


def test_a_dated_id_may_have_prices_of_its_own(own_file):
    table = load_prices(own_file(ENTRY.replace("claude-opus-5", "claude-haiku-4-5-20251001")))

    assert table.price_of("claude-haiku-4-5-20251001", TODAY).input == 4
    assert table.price_of("claude-haiku-4-5-20251001", date(2026, 10, 1)) is None
    assert table.price_of("claude-haiku-4-5", TODAY).input == 1


def test_a_tier_in_the_users_file_adds_a_boundary(own_file):
    table = load_prices(own_file(TIER + ENTRY))

    assert table.boundaries == (50_000, 100_000, 200_000)
    assert table.price_of("claude-opus-5", TODAY, prompt_up_to=50_000).input == 4
    assert table.price_of("claude-opus-5", TODAY, prompt_over=50_000).input == 6
    # Usage that was read before the boundary was known.
    assert table.price_of("claude-opus-5", TODAY, prompt_up_to=100_000) is None


def test_unusual_prices_are_accepted(own_file):
    text = ENTRY.replace('"0.4"', '"9"').replace('"5"', '"0"') + 'web_search = "0.5"\n'

    price = load_prices(own_file(text)).price_of("claude-opus-5", TODAY)

    assert (price.cache_read, price.cache_write_5m) == (9, 0)
    assert price.web_search == Decimal("0.5")


def refusal(path: Path) -> str:
    with pytest.raises(BadPrices) as caught:
        load_prices(path)
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(str(path)).lstrip(", ")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("", "has no entries: each begins with a line [[price]]."),
        ("[price]\nmodel = 'x'", "has no entries: each begins with a line [[price]]."),
        ("price = [1]", "entry 1 is 1: each entry begins with a line [[price]]."),
        ("[[prices]]\nmodel = 'x'", "contains 'prices': every entry begins with [[price]]."),
        (ENTRY + "[other]", "contains 'other': every entry begins with [[price]]."),
        ("input = ", "is not TOML: Invalid value (at end of document)."),
        (b"# \xff", "cannot be read: it is not UTF-8 text."),
    ],
)
def test_a_file_with_other_content_is_refused(own_file, wrong, sentence):
    assert refusal(own_file(wrong)) == sentence


@pytest.mark.parametrize("key", ["model", "effective_from", "input", "output", "cache_read"])
def test_an_error_names_the_entry_that_lacks_a_key(own_file, key):
    incomplete = re.sub(rf"^{key} = .*\n", "", OTHER_DATE, flags=re.MULTILINE)
    entry = "entry 2" if key == "model" else "entry 2 (claude-opus-5)"

    assert refusal(own_file(ENTRY + incomplete)) == f"{entry}: {key} is missing."


def test_an_error_names_the_unknown_key_and_the_known_ones(own_file):
    sentence = refusal(own_file(ENTRY + 'cache_writes = "1"'))

    assert sentence.startswith("entry 1 (claude-opus-5): unknown key 'cache_writes'; the keys are ")
    assert sentence.endswith("model, effective_from, " + ", ".join(KEYS) + ", prompt_over.")


@pytest.mark.parametrize("value", ["4.25", "4"])
@pytest.mark.parametrize("key", KEYS)
def test_the_error_for_a_number_without_quotes_says_how_to_write_it(own_file, key, value):
    complete = ENTRY + 'web_search = "10"\n'
    wrong = re.sub(rf"^{key} = .*", f"{key} = {value}", complete, flags=re.MULTILINE)

    assert refusal(own_file(wrong)) == (
        f'entry 1 (claude-opus-5): {key} is {value}: put it in quotes, as "{value}", to be exact.'
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((f'"{text}"', f'"{text}"') for text in NO_PRICES),
        ("-4.5", "-4.5"),
        ("nan", "nan"),
        ("1e-7", "1e-07"),
        ("true", "True"),
    ],
)
def test_a_price_that_is_not_a_plain_decimal_is_refused(own_file, value, shown):
    assert refusal(own_file(ENTRY.replace('"4"', value))) == (
        f"entry 1 (claude-opus-5): input is {shown}: write US dollars in quotes as a plain "
        'decimal, such as "2.50", without sign or exponent.'
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ('"2026-11-01"', '"2026-11-01"'),
        ("2026-11-01T00:00:00Z", "2026-11-01 00:00:00+00:00"),
        ("20261101", "20261101"),
    ],
)
def test_a_day_that_is_not_a_date_is_refused(own_file, value, shown):
    assert refusal(own_file(ENTRY.replace("2026-11-01", value))) == (
        f"entry 1 (claude-opus-5): effective_from is {shown}: write a date without quotes or "
        "time, such as 2026-10-14."
    )


def test_a_day_that_does_not_exist_is_refused(own_file):
    sentence = refusal(own_file(ENTRY.replace("2026-11-01", "2026-11-31")))

    assert sentence.startswith("is not TOML: Invalid date or datetime (at line 4")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("-1", "-1"), ("1.5", "1.5"), ("true", "True"), ('"50000"', '"50000"')],
)
def test_a_threshold_that_is_not_a_number_of_tokens_is_refused(own_file, value, shown):
    assert refusal(own_file(ENTRY + TIER.replace("50_000", value))) == (
        f"entry 2 (claude-opus-5): prompt_over is {shown}: write a number of tokens without "
        "quotes, such as 100000."
    )


@pytest.mark.parametrize("value", ["1_000_000_001", str(2**63), str(10**40)])
def test_a_threshold_that_no_prompt_reaches_is_refused(own_file, value):
    assert refusal(own_file(ENTRY + TIER.replace("50_000", value))) == (
        "entry 2 (claude-opus-5): prompt_over is larger than any prompt: write at most "
        "1,000,000,000 tokens."
    )


def test_a_number_with_too_many_digits_is_refused(own_file):
    file = own_file(ENTRY + TIER.replace("50_000", "9" * 5_000))

    assert refusal(file).startswith("is not TOML: Exceeds the limit")


@pytest.mark.parametrize(
    ("value", "place"),
    [("5", "entry 1"), ('""', "entry 1 ()"), ('" x"', "entry 1 ( x)")],
)
def test_a_model_that_is_not_an_id_is_refused(own_file, value, place):
    assert refusal(own_file(ENTRY.replace('"claude-opus-5"', value))) == (
        f"{place}: model is {value}: write an ID in quotes, without spaces around it."
    )


@pytest.mark.parametrize(
    ("rows", "place", "name"),
    [
        (ENTRY + OTHER_DATE + ENTRY, 1, "claude-opus-5, from 2026-11-01"),
        (
            ENTRY + TIER + TIER,
            2,
            "claude-opus-5, prompts over 50,000 tokens, from 2026-11-01",
        ),
    ],
)
def test_a_repeated_row_is_refused(own_file, rows, place, name):
    sentence = f"entry {place} (claude-opus-5): there are several rows for {name}."

    assert refusal(own_file(rows)) == sentence


@pytest.mark.parametrize("rows", [OTHER_DATE + TIER, ENTRY.replace("opus", "sonnet") + TIER])
def test_a_tier_without_its_base_is_refused(own_file, rows):
    assert refusal(own_file(rows)) == (
        "entry 2 (claude-opus-5): prompt_over needs a row of the same model and date without it, "
        "for shorter prompts."
    )


@pytest.mark.parametrize(
    ("name", "reason"), [("none.toml", "No such file or directory"), ("", "Is a directory")]
)
def test_a_path_without_a_file_is_refused(tmp_path, name, reason):
    assert refusal(tmp_path / name) == f"cannot be read: {reason}."


def test_the_documented_example_can_be_used(own_file):
    document = (ROOT / "docs" / "prices.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", document, re.DOTALL)

    table = load_prices(own_file(example))

    assert table.price_of("claude-haiku-5-5", TODAY, prompt_up_to=100_000).source != "built in"
    assert table.price_of("claude-haiku-5-5", TODAY, prompt_over=100_000).source != "built in"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (ENTRY, ""),
        (ENTRY + "color = 1", "BATCHBOARD_PRICES: {path}, entry 1 (claude-opus-5): unknown key"),
    ],
)
def test_no_process_starts_with_a_file_that_cannot_be_used(own_file, tmp_path, text, error):
    path = own_file(text)
    environment = {"BATCHBOARD_PRICES": str(path), "BATCHBOARD_VAR": str(tmp_path / "var")}

    ended = subprocess.run(
        [sys.executable, "-c", "import dashboard.settings"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == (1 if error else 0), ended.stderr
    assert error.format(path=path) in ended.stderr
