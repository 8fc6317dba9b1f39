"""A batch's usage as a table: usage with the same price is one line, with its calculation."""

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
    "prompt": "prompts of unknown size",
    "geo": "inference in {}",
    "field": "with {}",
}
PART_WORDS = ("", "compaction of the context", "advisor")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the calculation of a cost, as text."""

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
    """Usage and cost of the requests with the same model and price; no cost without a price.

    `detail` distinguishes it from the model's other lines, if there are any. `uses` counts the
    requests with tokens in this line; `requests` those of them that no other line counts.
    """

    model: str
    detail: str
    requests: int
    uses: int
    used: Quantities
    thinking: int
    cost: Cost | None
    # Why there is no cost; empty if there is one.
    reason: str
    # The model's price depends on the size of the prompt.
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
    """A batch's usage by model and price, and its totals."""

    lines: Sequence[UsageLine]

    @property
    def requests(self) -> int:
        return sum(line.requests for line in self.lines)

    @property
    def has_prompt_steps(self) -> bool:
        """The price of one of its models depends on the size of the prompt."""
        return any(line.is_stepped for line in self.lines)

    @property
    def thinking(self) -> int:
        return sum(line.thinking for line in self.lines)

    @property
    def used(self) -> Quantities:
        return summed(line.used for line in self.lines)


class LineKey(NamedTuple):
    """Usage rows with the same key are one line of the table."""

    model: str
    part: int
    tier: str
    prompt_over: int
    in_us: bool
    reason: UnpricedReason | None
    price: Price | None

    @classmethod
    def of(cls, row: UsageCost) -> "LineKey":
        usage, price = row.usage, row.cost.price if row.cost else None
        # The batch tier sorts first.
        tier = "" if usage.tier == BATCH_TIER else usage.tier
        prompt_over = price.prompt_over if price else 0
        in_us = bool(price) and usage.inference_geo == US
        part = PART_ORDER.index(usage.part)
        return cls(usage.model, part, tier, prompt_over, in_us, row.reason, price)

    @property
    def order(self) -> tuple[object, ...]:
        return *self[:5], self.reason or ()

    def detail(self, among: Iterable["LineKey"]) -> str:
        """The words that distinguish it from the other keys of its model."""
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
    """By model: messages before their other parts, short prompts first, US inference last."""
    rows_of: dict[LineKey, list[UsageCost]] = defaultdict(list)
    for row in cost.rows:
        rows_of[LineKey.of(row)].append(row)
    ordered = sorted(rows_of, key=lambda key: key.order)
    return UsageTable([_line(key, key.detail(ordered), rows_of[key]) for key in ordered])


def _line(key: LineKey, detail: str, rows: Sequence[UsageCost]) -> UsageLine:
    table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
    used = summed(quantities(row.usage) for row in rows)
    terms = {"inference_geo": US if key.in_us else "", "tier": key.tier or BATCH_TIER}
    return UsageLine(
        key.model,
        detail,
        requests=sum(row.usage.requests for row in rows),
        uses=sum(row.usage.uses for row in rows),
        used=used,
        thinking=sum(row.usage.thinking_tokens for row in rows),
        cost=cost_at(key.price, used, **terms) if key.price else None,
        reason=reason_words(key.reason) if key.reason else "",
        is_stepped=table.has_steps(key.model),
    )


def summed(many: Iterable[Quantities]) -> Quantities:
    return Quantities(*(sum(of_class) for of_class in zip(Quantities(), *many, strict=True)))


def percent_saved(cost: BatchCost) -> Decimal | None:
    """The saving in percent of the standard price; None if nothing was billed."""
    return cost.saving / cost.standard * 100 if cost.standard else None
