"""What a batch's page says of usage and cost: rows alike in price are one, and each explained."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from batches.costs import BatchCost, UsageCost, quantities
from batches.pricing import Cost, Part, Price, Quantities
from batches.pricing.table import cost_at
from dashboard.templatetags.money import exact_usd, tokens

PARTS = {
    "input_tokens": "Input",
    "output_tokens": "Output",
    "cache_write_5m_tokens": "Cache write, 5 min",
    "cache_write_1h_tokens": "Cache write, 1 h",
    "cache_read_tokens": "Cache read",
    "web_searches": "Web searches",
}
US = "us"


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a cost as a person can reckon it again; all of it as text."""

    name: str
    quantity: str
    price: str
    factors: Sequence[str]
    amount: str

    @classmethod
    def of(cls, part: Part) -> "Step":
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

    `detail` says what tells it from the model's other lines; empty where nothing does.
    """

    model: str
    detail: str
    requests: int
    used: Quantities
    thinking: int
    cost: Cost | None

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
    def thinking(self) -> int:
        return sum(line.thinking for line in self.lines)

    @property
    def used(self) -> Quantities:
        return summed(line.used for line in self.lines)


class Alike(NamedTuple):
    """What usage rows have in common that are one line of the table."""

    model: str
    prompt_over: int
    in_us: bool
    price: Price | None

    @classmethod
    def of(cls, row: UsageCost) -> "Alike":
        if row.cost is None:
            return cls(row.usage.model, 0, in_us=False, price=None)
        price = row.cost.price
        return cls(row.usage.model, price.prompt_over, row.usage.inference_geo == US, price)

    def detail(self, among: Iterable["Alike"]) -> str:
        """What tells it from the others of its model."""
        words = []
        above = [
            other.prompt_over
            for other in among
            if other.model == self.model and other.prompt_over > self.prompt_over
        ]
        if self.prompt_over:
            words.append(f"prompts over {self.prompt_over:,} tokens")
        elif above:
            words.append(f"prompts up to {min(above):,} tokens")
        if self.in_us:
            words.append("inference in the US")
        return ", ".join(words)


def usage_table(cost: BatchCost) -> UsageTable:
    """Lines by model, shorter prompts first, inference in the US last."""
    rows_of: dict[Alike, list[UsageCost]] = defaultdict(list)
    for row in cost.rows:
        rows_of[Alike.of(row)].append(row)
    ordered = sorted(rows_of, key=lambda alike: alike[:3])
    return UsageTable([_line(alike, alike.detail(ordered), rows_of[alike]) for alike in ordered])


def _line(alike: Alike, detail: str, rows: Sequence[UsageCost]) -> UsageLine:
    used = summed(quantities(row.usage) for row in rows)
    return UsageLine(
        alike.model,
        detail,
        requests=sum(row.usage.requests for row in rows),
        used=used,
        thinking=sum(row.usage.thinking_tokens for row in rows),
        cost=cost_at(alike.price, used, in_us=alike.in_us) if alike.price else None,
    )


def summed(many: Iterable[Quantities]) -> Quantities:
    return Quantities(*(sum(of_class) for of_class in zip(Quantities(), *many, strict=True)))


def percent_saved(cost: BatchCost) -> Decimal | None:
    """How much less than the standard price a batch costs, in percent; None of nothing."""
    return cost.saving / cost.standard * 100 if cost.standard else None
