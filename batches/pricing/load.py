"""Reading price files: the one that comes with Batchboard, and the user's own."""

import re
import tomllib
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from batches.pricing.table import BUILT_IN, Price, PriceTable

BUILT_IN_FILE = Path(__file__).with_name("prices.toml")

PRICE_KEYS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
REQUIRED = ("model", "effective_from", *PRICE_KEYS)
OPTIONAL = ("web_search", "prompt_over")
# No prompt comes near this, and it fits into the 64 bits in which usage is stored with it.
LARGEST_PROMPT = 10**9
# No price needs more digits; "1e-6" or a sign is a mistake.
PLAIN_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")


class BadPrices(ValueError):
    """A price file can't be used. `str(error)` says why, for a person: file, entry and mistake."""


def load_prices(own_file: str | Path = "") -> PriceTable:
    """The built-in prices and the user's own, which replace all rows of the models they name.

    Raises BadPrices for a file that can't be read or contains anything unexpected.
    """
    built_in = read_prices(BUILT_IN_FILE, source=BUILT_IN)
    own = read_prices(Path(own_file), source=str(own_file)) if str(own_file) else ()
    named = {price.model for price in own}
    return PriceTable([price for price in built_in if price.model not in named] + [*own])


def read_prices(path: Path, *, source: str) -> tuple[Price, ...]:
    """The rows of one file, in its order. Raises BadPrices."""
    prices = []
    for number, entry in enumerate(_entries(path), start=1):
        place = f"{path}, entry {number}"
        if isinstance(entry, dict) and isinstance(entry.get("model"), str):
            place += f" ({entry['model']})"
        prices.append(_price(place, entry, source))
    _refuse_repeated_or_unbased(path, prices)
    return tuple(prices)


def _entries(path: Path) -> list[Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadPrices(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadPrices(f"{path} cannot be read: it is not UTF-8 text.") from error
    # TOMLDecodeError, or what int() raises for a number of thousands of digits.
    except ValueError as error:
        raise BadPrices(f"{path} is not TOML: {error}.") from error
    unknown = [key for key in content if key != "price"]
    if unknown:
        raise BadPrices(f"{path} contains {unknown[0]!r}: every entry begins with [[price]].")
    entries = content.get("price", [])
    if not isinstance(entries, list) or not entries:
        raise BadPrices(f"{path} has no entries: each begins with a line [[price]].")
    return entries


def _price(place: str, entry: Any, source: str) -> Price:
    if not isinstance(entry, dict):
        raise BadPrices(f"{place} is {entry!r}: each entry begins with a line [[price]].")
    for key in entry:
        if key not in REQUIRED + OPTIONAL:
            known = ", ".join(REQUIRED + OPTIONAL)
            raise BadPrices(f"{place}: unknown key {key!r}; the keys are {known}.")
    for key in REQUIRED:
        if key not in entry:
            raise BadPrices(f"{place}: {key} is missing.")
    return Price(
        model=_model(place, entry["model"]),
        effective_from=_day(place, entry["effective_from"]),
        **{key: _decimal(place, key, entry[key]) for key in PRICE_KEYS},
        web_search=_decimal(place, "web_search", entry.get("web_search", "10")),
        prompt_over=_prompt_over(place, entry.get("prompt_over", 0)),
        source=source,
    )


def _model(place: str, value: Any) -> str:
    if not isinstance(value, str) or not value or value != value.strip():
        raise BadPrices(
            f"{place}: model is {_shown(value)}: write an ID in quotes, without spaces around it."
        )
    return value


def _day(place: str, value: Any) -> date:
    # In Python, a datetime is a date too.
    if type(value) is not date:
        raise BadPrices(
            f"{place}: effective_from is {_shown(value)}: write a date without quotes or time, "
            "such as 2026-10-14."
        )
    return value


def _decimal(place: str, key: str, value: Any) -> Decimal:
    plain = PLAIN_DECIMAL.fullmatch(str(value))
    if plain and not isinstance(value, str):
        raise BadPrices(f'{place}: {key} is {value}: put it in quotes, as "{value}", to be exact.')
    if not plain:
        raise BadPrices(
            f"{place}: {key} is {_shown(value)}: write US dollars in quotes as a plain decimal, "
            'such as "2.50", without sign or exponent.'
        )
    return Decimal(value)


def _prompt_over(place: str, value: Any) -> int:
    if type(value) is not int or value < 0:
        raise BadPrices(
            f"{place}: prompt_over is {_shown(value)}: write a number of tokens without quotes, "
            "such as 100000."
        )
    if value > LARGEST_PROMPT:
        raise BadPrices(
            f"{place}: prompt_over is larger than any prompt: write at most {LARGEST_PROMPT:,} "
            "tokens."
        )
    return value


def _shown(value: Any) -> str:
    """A value as the file has it."""
    return f'"{value}"' if isinstance(value, str) else str(value)


def _refuse_repeated_or_unbased(path: Path, prices: list[Price]) -> None:
    rows = Counter((price.model, price.effective_from, price.prompt_over) for price in prices)
    for number, price in enumerate(prices, start=1):
        place = f"{path}, entry {number} ({price.model})"
        if rows[price.model, price.effective_from, price.prompt_over] > 1:
            raise BadPrices(f"{place}: there are several rows for {price.name}.")
        if not rows[price.model, price.effective_from, 0]:
            raise BadPrices(
                f"{place}: prompt_over needs a row of the same model and date without it, "
                "for shorter prompts."
            )
