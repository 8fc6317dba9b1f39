"""Prices by model, day and length of prompt, and what quantities cost at them."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Literal, NamedTuple

# Anthropic's pricing page: in a batch, tokens of every class cost half, cached ones too; tokens of
# a request that is kept in the US cost a tenth more. Web searches are not affected.
BATCH_FACTOR = Decimal("0.5")
US_FACTOR = Decimal("1.1")
BATCH = ("batch", BATCH_FACTOR)
IN_US = ("inference in the US", US_FACTOR)

# The API's `service_tier` of requests that are billed at the batch price.
BATCH_TIER = "batch"
# The tiers with a published price, and their factors. Anthropic gives other prices on request.
TIERS = {BATCH_TIER: (BATCH,), "standard": ()}
# The API's `inference_geo`; older models have none or "not_available".
GEOS = {"": (), "global": (), "not_available": (), "us": (IN_US,)}
type Factors = tuple[tuple[str, Decimal], ...]
type Unpriced = Literal["model", "prompt", "tier", "geo"]

# Wide enough that no product of a price and a 64-bit count, and no sum of them, is ever rounded.
EXACT = Context(prec=100)
ZERO = Decimal(0)

MILLION = 1_000_000
THOUSAND = 1_000
# In the order of Quantities: its field, the field of Price, and how many that price is for.
# Only token prices are per million, and only they take factors.
CLASS_PRICES = (
    ("input_tokens", "input", MILLION),
    ("output_tokens", "output", MILLION),
    ("cache_write_5m_tokens", "cache_write_5m", MILLION),
    ("cache_write_1h_tokens", "cache_write_1h", MILLION),
    ("cache_read_tokens", "cache_read", MILLION),
    ("web_searches", "web_search", THOUSAND),
)
# The source of a row that comes with Batchboard.
BUILT_IN = "built in"
DATE_IN_ID = re.compile(r"-20[0-9]{6}\Z")


class Quantities(NamedTuple):
    """What is billed for any number of requests with the same model, prompt bracket and geo."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    web_searches: int = 0


# Everything that is billed by number: five classes of tokens, and web searches.
CLASSES = Quantities._fields


@dataclass(frozen=True, slots=True)
class Price:
    """One dated row: standard US dollars per million tokens, and per 1,000 web searches."""

    model: str
    effective_from: date
    input: Decimal
    output: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal
    web_search: Decimal
    # Applies to prompts of more tokens than this; 0 for any.
    prompt_over: int
    # BUILT_IN, or the path of the file that has it.
    source: str

    @property
    def name(self) -> str:
        """Such as "claude-haiku-5-5, prompts over 100,000 tokens, from 2026-10-07"."""
        prompts = f", prompts over {self.prompt_over:,} tokens" if self.prompt_over else ""
        return f"{self.model}{prompts}, from {self.effective_from}"


@dataclass(frozen=True, slots=True)
class CostPart:
    """One class in a cost: `amount` is quantity times price times each factor, over `per`."""

    # One of CLASSES.
    name: str
    quantity: int
    price: Decimal
    per: int
    factors: Factors
    amount: Decimal
    # The same without the batch factor.
    standard_amount: Decimal


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars, never rounded: `total` at its tier, and `standard` at the standard price."""

    price: Price
    parts: tuple[CostPart, ...]
    total: Decimal
    standard: Decimal


class PriceTable:
    """Finds prices by model and day. An unknown price is None, never 0."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self.prices = tuple(prices)
        # Every prompt size, in tokens, at which some model's price changes. Requests whose prompts
        # lie between the same two can be summed and still priced exactly.
        self.boundaries = tuple(
            sorted({price.prompt_over for price in self.prices if price.prompt_over})
        )
        self._by_model: dict[str, list[Price]] = defaultdict(list)
        for price in self.prices:
            self._by_model[price.model].append(price)
        self._first_days = {
            model: min(row.effective_from for row in rows) for model, rows in self._by_model.items()
        }
        # A page asks for thousands of costs at a few hundred different prices.
        self._found = lru_cache(maxsize=20_000)(self._find)

    def price_of(
        self, model: str, day: date, *, prompt_over: int = 0, prompt_up_to: int | None = None
    ) -> Price | None:
        """The row for prompts of more than `prompt_over` and at most `prompt_up_to` tokens.

        None for an unknown model, for a day before the first row of a user's file, and where one
        of the model's thresholds lies between the two sizes.
        """
        return self._found(model, day, prompt_over, prompt_up_to)

    def cost(
        self,
        quantities: Quantities,
        model: str,
        day: date,
        *,
        inference_geo: str = "",
        tier: str = BATCH_TIER,
        prompt_over: int = 0,
        prompt_up_to: int | None = None,
    ) -> Cost | None:
        """What the quantities cost at the tier where they ran.

        None where `price_of` finds no row, or the tier or geo has no known price.
        """
        price = self._found(model, day, prompt_over, prompt_up_to)
        if price is None or tier not in TIERS or inference_geo not in GEOS:
            return None
        return cost_at(price, quantities, inference_geo=inference_geo, tier=tier)

    def why_unpriced(self, model: str, day: date, *, inference_geo: str, tier: str) -> Unpriced:
        """What lacks a price, where `cost` returns None.

        "prompt" means that the model's price depends on a prompt size that is not known.
        """
        if tier not in TIERS:
            return "tier"
        if inference_geo not in GEOS:
            return "geo"
        return "prompt" if self._found(model, day, 0, 1) else "model"

    def has_steps(self, model: str) -> bool:
        """Whether any price of the model depends on the size of the prompt."""
        return any(row.prompt_over for row in self._rows(model))

    def _holds_from(self, row: Price) -> date:
        """The day from which a row applies: any day for a model's first built-in row.

        A model that was used had been released, so an earlier use means that the date is late.
        """
        is_first = row.effective_from == self._first_days[row.model]
        return date.min if is_first and row.source == BUILT_IN else row.effective_from

    def _rows(self, model: str) -> list[Price]:
        # A dated ID that has rows of its own is priced by those alone.
        return self._by_model.get(model) or self._by_model.get(model_name(model)) or []

    def _find(self, model: str, day: date, over: int, up_to: int | None) -> Price | None:
        rows = [row for row in self._rows(model) if self._holds_from(row) <= day]
        newest = max((row.effective_from for row in rows), default=None)
        tiers = {row.prompt_over: row for row in rows if row.effective_from == newest}
        if any(over < start and (up_to is None or start < up_to) for start in tiers):
            return None
        reached = max((start for start in tiers if start <= over), default=None)
        return None if reached is None else tiers[reached]


def cost_at(
    price: Price, quantities: Quantities, *, inference_geo: str = "", tier: str = BATCH_TIER
) -> Cost:
    """What the quantities cost at this price in US dollars, for a tier and a geo with a price."""
    factors = TIERS[tier] + GEOS[inference_geo]
    with localcontext(EXACT):
        parts = tuple(
            _part(name, quantity, getattr(price, field), per, factors if per == MILLION else ())
            for quantity, (name, field, per) in zip(quantities, CLASS_PRICES, strict=True)
            if quantity > 0
        )
        return Cost(
            price,
            parts,
            total=sum((part.amount for part in parts), ZERO),
            standard=sum((part.standard_amount for part in parts), ZERO),
        )


def _part(name: str, quantity: int, price: Decimal, per: int, factors: Factors) -> CostPart:
    amount = standard = price * quantity / per
    for factor in factors:
        amount *= factor[1]
        if factor is not BATCH:
            standard *= factor[1]
    return CostPart(name, quantity, price, per, factors, amount, standard)


def model_name(model: str) -> str:
    """A model's ID without its date: `claude-sonnet-4-5-20250929` is `claude-sonnet-4-5`."""
    return DATE_IN_ID.sub("", model)
