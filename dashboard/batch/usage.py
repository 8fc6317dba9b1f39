"""The usage panel of a batch's page: usage, cost, and what both were estimated to be."""

from typing import Any

from batches.models import Batch, Ingestion
from batches.spend.costs import BatchCost
from batches.spend.estimates import CostEstimate, cost_estimate
from dashboard.batch.awaited import is_awaited, is_being_read, is_unavailable
from dashboard.batch.usage_amounts import BatchAmounts
from dashboard.batch.usage_tables import percent_saved, usage_table
from dashboard.cards import Card
from dashboard.cost_words import off_tier_words, reason_words, unpriced_words
from dashboard.words import usd

BASIS_WORDS = {"label": "with the label", "owner": "of the owner", "workspace": "in the workspace"}


def usage_context(card: Card, ingestion: Ingestion | None) -> dict[str, Any]:
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
        "is_being_read": is_being_read(ingestion, card.now),
        "is_outdated": batch.results_state == Batch.ResultsState.OUTDATED,
        "unpriced_words": unpriced_words(cost),
        "other_reasons": other_reasons(cost),
        "off_tier": off_tier_words(cost.off_tier),
        "expected_cost": expected_cost(cost_estimate(batch)),
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


def expected_cost(estimate: CostEstimate | None) -> str:
    """The estimated cost and how it is estimated; empty without history."""
    if not estimate:
        return ""
    low, high = usd(estimate.low), usd(estimate.high)
    span = low if low == high else f"{low}–{high}"
    return (
        f"usually {span} (estimate: p50–p90 of the cost per request of {estimate.sample:,} "
        f"batches {BASIS_WORDS[estimate.basis]} “{estimate.name}”)"
    )
