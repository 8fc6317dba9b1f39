"""What the sandbox bills for a request: a price table of its own, on purpose.

The dashboard has another one, which nothing here looks at: a mistake in either shows as a
difference between the two. Money is whole picodollars, millionths of a millionth of a US
dollar, so that every sum is exact.
"""

from decimal import Decimal
from typing import NamedTuple

from batches.sandbox.messages import RESOLVED

PICODOLLARS_IN_A_DOLLAR = 10**12
PICODOLLARS_IN_A_CENT = 10**10
# Ten dollars for a thousand, in a batch as elsewhere.
WEB_SEARCH = PICODOLLARS_IN_A_DOLLAR // 100
# A prompt of more tokens than this lifts a request to claude-haiku-5-5's upper tier.
TIER_TOKENS = 100_000
TIERED_MODEL = "claude-haiku-5-5"


class TokenPrices(NamedTuple):
    """Picodollars for one token in a batch, which is half of what it costs elsewhere."""

    input: int
    output: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int


def _price(*dollars_a_million: str) -> TokenPrices:
    # A dollar for a million tokens is a million picodollars for one.
    return TokenPrices(*(int(Decimal(figure) * 1_000_000) for figure in dollars_a_million))


_FABLE = _price("4", "20", "5", "8", "0.10")
_OPUS = _price("2.50", "12.50", "3.125", "5", "0.25")
_SONNET_4 = _price("1.50", "7.50", "1.875", "3", "0.15")

# The vendor's published prices as of November 2026. claude-mythos-5-1's is invented, for a
# client that has none to meet it.
PRICES = {
    "claude-fable-5-2": _FABLE,
    "claude-mythos-5-2": _FABLE,
    "claude-mythos-5-1": _price("5", "25", "6.25", "10", "0.50"),
    "claude-fable-5-1": _price("5", "25", "6.25", "10", "0.125"),
    "claude-opus-5-5": _price("2", "10", "2.50", "4", "0.10"),
    "claude-opus-5": _OPUS,
    "claude-opus-4-8": _OPUS,
    "claude-opus-4-7": _OPUS,
    "claude-opus-4-6": _OPUS,
    "claude-opus-4-5": _OPUS,
    "claude-sonnet-5-5": _price("1", "5", "1.25", "2", "0.05"),
    "claude-sonnet-5": _price("1", "5", "1.25", "2", "0.10"),
    "claude-sonnet-4-6": _SONNET_4,
    "claude-sonnet-4-5": _SONNET_4,
    "claude-haiku-5-5": _price("0.05", "0.25", "0.0625", "0.10", "0.005"),
    "claude-haiku-4-5": _price("0.50", "2.50", "0.625", "1", "0.05"),
}
PRICES |= {resolved: PRICES[alias] for alias, resolved in RESOLVED.items()}
# What a token costs at a tier, by what it costs in a batch. The latter two are invented.
TIERS = {"batch": 1, "standard": 2, "priority": 3, "fast": 12}
UPPER_TIER = _price("0.25", "1.25", "0.3125", "0.50", "0.025")
# Whatever else a caller asks for by the name of a model costs this, as nothing is for free.
OTHER_MODELS = PRICES["claude-mythos-5-1"]


class Used(NamedTuple):
    """What one request used, in tokens and in web searches."""

    input: int = 0
    output: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    web_searches: int = 0
    geo: str = ""

    @property
    def prompt(self) -> int:
        """Sum the whole prompt, cached or not."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read


class BilledCost(NamedTuple):
    """Picodollars: what is billed, and what the same would have cost outside of a batch."""

    amount: int
    list_amount: int


def cost(model: str, used: Used, tier: str = "batch") -> BilledCost:
    """TokenPrices one pass of a succeeded request, by the model's resolved name or its alias."""
    price = PRICES.get(model, OTHER_MODELS)
    if model == TIERED_MODEL and used.prompt > TIER_TOKENS:
        price = UPPER_TIER
    tokens = (
        price.input * used.input
        + price.output * used.output
        + price.cache_write_5m * used.cache_write_5m
        + price.cache_write_1h * used.cache_write_1h
        + price.cache_read * used.cache_read
    )
    if used.geo == "us":
        # Every price is a multiple of ten picodollars, so this leaves no remainder.
        tokens = tokens * 11 // 10
    searches = used.web_searches * WEB_SEARCH
    at_tier = tokens * TIERS[tier]
    return BilledCost(at_tier + searches, max(at_tier, tokens * TIERS["standard"]) + searches)


def dollars(picodollars: int) -> Decimal:
    """Return an amount in US dollars, exactly."""
    return Decimal(picodollars).scaleb(-12)


def cents(picodollars: int) -> str:
    """Write an amount as the organisation's reports do: cents, with as many places as it takes."""
    whole, rest = divmod(picodollars, PICODOLLARS_IN_A_CENT)
    return f"{whole}.{rest:010}".rstrip("0").rstrip(".")
