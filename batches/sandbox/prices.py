"""What the sandbox bills for a request. It has its own price table, on purpose.

The dashboard has another one. The two share nothing, so that a mistake in either shows as a
difference. Amounts are integers in picodollars (10⁻¹² US dollars), so that every sum is exact.
"""

from decimal import Decimal
from typing import NamedTuple

from batches.sandbox.messages import RESOLVED

PICODOLLARS_IN_A_DOLLAR = 10**12
PICODOLLARS_IN_A_CENT = 10**10
# Ten dollars per thousand, in and outside of batches.
WEB_SEARCH = PICODOLLARS_IN_A_DOLLAR // 100
# A longer prompt moves a request to claude-haiku-5-5's upper tier.
TIER_TOKENS = 100_000
TIERED_MODEL = "claude-haiku-5-5"


class TokenPrices(NamedTuple):
    """Picodollars per token in a batch, which is half the standard price."""

    input: int
    output: int
    cache_write_5m: int
    cache_write_1h: int
    cache_read: int


def _price(*dollars_a_million: str) -> TokenPrices:
    # A dollar per million tokens is a million picodollars per token.
    return TokenPrices(*(int(Decimal(figure) * 1_000_000) for figure in dollars_a_million))


_FABLE = _price("4", "20", "5", "8", "0.10")
_OPUS = _price("2.50", "12.50", "3.125", "5", "0.25")
_SONNET_4 = _price("1.50", "7.50", "1.875", "3", "0.15")

# Anthropic's published prices as of November 2026. claude-mythos-5-1's are invented: the
# dashboard has no price for this model.
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
# Multiples of the batch price. The last two are invented.
TIERS = {"batch": 1, "standard": 2, "priority": 3, "fast": 12}
UPPER_TIER = _price("0.25", "1.25", "0.3125", "0.50", "0.025")
# The price of every model that is not in the table, so that none is free.
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
        """All tokens of the prompt, cached or not."""
        return self.input + self.cache_write_5m + self.cache_write_1h + self.cache_read


class BilledCost(NamedTuple):
    """Picodollars: what is billed, and what the same would have cost outside a batch."""

    amount: int
    list_amount: int


def cost(model: str, used: Used, tier: str = "batch") -> BilledCost:
    """The cost of one pass of a succeeded request. `model` is an alias or a dated ID."""
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
        # Exact, as every price is a multiple of ten picodollars.
        tokens = tokens * 11 // 10
    searches = used.web_searches * WEB_SEARCH
    at_tier = tokens * TIERS[tier]
    return BilledCost(at_tier + searches, max(at_tier, tokens * TIERS["standard"]) + searches)


def dollars(picodollars: int) -> Decimal:
    """The exact amount in US dollars."""
    return Decimal(picodollars).scaleb(-12)


def cents(picodollars: int) -> str:
    """The amount in cents, as the cost report writes it: with as many decimals as needed."""
    whole, rest = divmod(picodollars, PICODOLLARS_IN_A_CENT)
    return f"{whole}.{rest:010}".rstrip("0").rstrip(".")
