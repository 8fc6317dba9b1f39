"""The usage panel of a batch's page: usage, cost, and for a running batch an estimate."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

from batches.models import Batch, Reading
from batches.spend.costs import BatchCost
from batches.spend.estimates import CostEstimate
from dashboard.amount import Amount
from dashboard.batch.awaited import is_awaited, is_being_read, is_unavailable
from dashboard.batch.usage_tables import UsageTable, percent_saved, usage_table
from dashboard.cards import Card
from dashboard.cost_words import off_tier_words, reason_words, unpriced_words
from dashboard.rounding import apportioned, nearest, unit_for
from dashboard.words import usd

BASIS_WORDS = {"label": "with the label", "owner": "of the owner", "workspace": "in the workspace"}


@dataclass(frozen=True, slots=True)
class BatchAmounts:
    """Rounded amounts: the lines add up to the cost, cost and saving to the standard cost."""

    cost: Amount
    standard: Amount
    saving: Amount
    lines: Sequence[Amount]

    @classmethod
    def of(cls, cost: BatchCost, usage: UsageTable) -> Self:
        exact = [line.cost.total if line.cost else None for line in usage.lines]
        known = [amount or Decimal(0) for amount in exact]
        unit = unit_for(cost.known, [cost.standard, *known])
        shown, standard = nearest(cost.known, unit), nearest(cost.standard, unit)
        return cls(
            cost=Amount(cost.known, shown),
            standard=Amount(cost.standard, standard),
            saving=Amount(cost.saving, standard - shown),
            lines=[
                Amount(*pair) for pair in zip(exact, apportioned(known, shown, unit), strict=True)
            ],
        )


def usage_context(card: Card, reading: Reading | None) -> dict[str, Any]:
    batch, cost = card.batch, card.cost
    usage = usage_table(cost)
    amounts = BatchAmounts.of(cost, usage)
    return {
        "cost": cost,
        "cost_state": cost_state(card),
        "usage": usage,
        "amounts": amounts,
        "usage_lines": list(zip(usage.lines, amounts.lines, strict=True)),
        "percent_saved": percent_saved(cost),
        "is_being_read": is_being_read(reading, card.now),
        "is_outdated": batch.results_state == Batch.ResultsState.OUTDATED,
        "unpriced_words": unpriced_words(cost),
        "other_reasons": other_reasons(cost),
        "off_tier": off_tier_words(cost.off_tier),
    }


def cost_state(card: Card) -> str:
    """`BatchCost.state`, but "lost" as soon as unread results have expired."""
    if is_awaited(card.batch) and is_unavailable(card.batch, card.now):
        return "lost"
    return card.cost.state


def other_reasons(cost: BatchCost) -> list[tuple[str, int]]:
    """Why requests have no price although their model has one, each with its requests."""
    return [
        (reason_words(reason), requests)
        for reason, requests in cost.unpriced.items()
        if reason.lacks != "model"
    ]


def expected_span(estimate: CostEstimate | None) -> str:
    """The lower and the upper estimate in US dollars; empty without history."""
    if not estimate:
        return ""
    low, high = usd(estimate.low), usd(estimate.high)
    return low if low == high else f"{low}–{high}"


def estimate_basis(estimate: CostEstimate | None) -> str:
    """How the cost is estimated; empty without history."""
    if not estimate:
        return ""
    return (
        f"p50–p90 of the cost per request of {estimate.sample:,} batches "
        f"{BASIS_WORDS[estimate.basis]} “{estimate.name}”"
    )
