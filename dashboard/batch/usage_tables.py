"""What a batch's page says of usage and cost: rows alike in price are one, and each explained."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings

from batches.pricing import BATCH_TIER, Cost, CostPart, Price, PriceTable, Quantities
from batches.pricing.table import cost_at
from batches.spend.costs import BatchCost, UnpricedReason, UsageCost, quantities
from dashboard.cost_words import reason_words, tier_words
from dashboard.words import exact_usd, tokens

PARTS = {
    "input_tokens": "Input",
    "output_tokens": "Output",
    "cache_write_5m_tokens": "Cache write, 5 min",
    "cache_write_1h_tokens": "Cache write, 1 h",
    "cache_read_tokens": "Cache read",
    "web_searches": "Web searches",
}
US = "us"
PART_ORDER = ("message", "compaction", "advisor")
REASON_DETAILS = {
    "prompt": "prompts whose sizes are not known",
    "geo": "inference in {}",
    "field": "with {}",
}
PART_WORDS = ("", "compaction of the context", "advisor")


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a cost as a person can reckon it again; all of it as text."""

    name: str
    quantity: str
    price: str
    factors: Sequence[str]
    amount: str

    @classmethod
    def of(cls, part: CostPart) -> "Step":
        per = "million" if part.per > 1000 else "1,000"
        return cls(
            PARTS[part.name],
            tokens(part.quantity),
            f"{exact_usd(part.price)} per {per}",
            [f"{factor} ({name})" for name, factor in part.factors],
            exact_usd(part.amount),
        )


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What the requests alike in model and price used and cost; None where no price is known.

    `detail` says what tells it from the model's other lines; empty where nothing does. `uses`
    are requests with any tokens in the line, of which `requests` are not counted elsewhere.
    """

    model: str
    detail: str
    requests: int
    uses: int
    used: Quantities
    thinking: int
    cost: Cost | None
    # Why there is no cost; empty where there is one.
    reason: str
    # Its price depends on the size of the prompt.
    is_stepped: bool

    @property
    def is_shared(self) -> bool:
        """Some of its requests are counted in another line."""
        return self.uses > self.requests

    @property
    def name(self) -> str:
        return f"{self.model}, {self.detail}" if self.detail else self.model

    @property
    def steps(self) -> list[Step]:
        return [Step.of(part) for part in self.cost.parts] if self.cost else []


@dataclass(frozen=True, slots=True)
class UsageTable:
    """A batch's usage by model and price, and its sums."""

    lines: Sequence[UsageLine]

    @property
    def requests(self) -> int:
        return sum(line.requests for line in self.lines)

    @property
    def has_prompt_steps(self) -> bool:
        """The price of a model in it depends on the size of the prompt."""
        return any(line.is_stepped for line in self.lines)

    @property
    def thinking(self) -> int:
        return sum(line.thinking for line in self.lines)

    @property
    def used(self) -> Quantities:
        return summed(line.used for line in self.lines)


class Alike(NamedTuple):
    """What usage rows have in common that are one line of the table; sorted as they are shown."""

    model: str
    part: int
    tier: str
    prompt_over: int
    in_us: bool
    reason: UnpricedReason | None
    price: Price | None

    @classmethod
    def of(cls, row: UsageCost) -> "Alike":
        usage, price = row.usage, row.cost.price if row.cost else None
        # The usual tier comes first.
        tier = "" if usage.tier == BATCH_TIER else usage.tier
        prompt_over = price.prompt_over if price else 0
        in_us = bool(price) and usage.inference_geo == US
        part = PART_ORDER.index(usage.part)
        return cls(usage.model, part, tier, prompt_over, in_us, row.reason, price)

    @property
    def order(self) -> tuple[object, ...]:
        return *self[:5], self.reason or ()

    def detail(self, among: Iterable["Alike"]) -> str:
        """What tells it from the others of its model."""
        words = [PART_WORDS[self.part]] if self.part else []
        if self.tier:
            words.append(tier_words(self.tier))
        above = [
            other.prompt_over
            for other in among
            if other.model == self.model and other.prompt_over > self.prompt_over
        ]
        if self.prompt_over:
            words.append(f"prompts over {self.prompt_over:,} tokens")
        elif above and self.price:
            words.append(f"prompts up to {min(above):,} tokens")
        if self.in_us:
            words.append("inference in the US")
        if self.reason and self.reason.lacks in REASON_DETAILS:
            words.append(REASON_DETAILS[self.reason.lacks].format(self.reason.word))
        return ", ".join(words)


def usage_table(cost: BatchCost) -> UsageTable:
    """Lines by model: the messages' own first, shorter prompts first, inference in the US last."""
    rows_of: dict[Alike, list[UsageCost]] = defaultdict(list)
    for row in cost.rows:
        rows_of[Alike.of(row)].append(row)
    ordered = sorted(rows_of, key=lambda alike: alike.order)
    return UsageTable([_line(alike, alike.detail(ordered), rows_of[alike]) for alike in ordered])


def _line(alike: Alike, detail: str, rows: Sequence[UsageCost]) -> UsageLine:
    table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
    used = summed(quantities(row.usage) for row in rows)
    terms = {"inference_geo": US if alike.in_us else "", "tier": alike.tier or BATCH_TIER}
    return UsageLine(
        alike.model,
        detail,
        requests=sum(row.usage.requests for row in rows),
        uses=sum(row.usage.uses for row in rows),
        used=used,
        thinking=sum(row.usage.thinking_tokens for row in rows),
        cost=cost_at(alike.price, used, **terms) if alike.price else None,
        reason=reason_words(alike.reason) if alike.reason else "",
        is_stepped=table.has_steps(alike.model),
    )


def summed(many: Iterable[Quantities]) -> Quantities:
    return Quantities(*(sum(of_class) for of_class in zip(Quantities(), *many, strict=True)))


def percent_saved(cost: BatchCost) -> Decimal | None:
    """How much less than the standard price a batch costs, in percent; None of nothing."""
    return cost.saving / cost.standard * 100 if cost.standard else None
