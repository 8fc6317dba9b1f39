"""What one batch's page shows beside its card: usage, cost, failures, receipts, expectations."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from batches.models import Batch, Ingestion
from batches.outcome import REFUSED, STOP_REASONS, UNFINISHED, segments
from batches.results.failures import failure_kinds
from batches.results.reading import UNREAD
from batches.results.tally import NOT_STATED
from batches.spend.estimates import CostEstimate, cost_estimate
from dashboard.batch.receipts import receipts
from dashboard.batch.usage_amounts import BatchAmounts
from dashboard.batch.usage_tables import percent_saved, usage_table
from dashboard.cards import Card
from dashboard.cost_words import off_tier_words, reason_words, unpriced_words
from dashboard.words import usd

# For so long after the end somebody may wait for the cost to appear.
AWAITED = timedelta(minutes=10)
BASIS_WORDS = {"label": "with the label", "owner": "of the owner", "workspace": "in the workspace"}


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """Requests by what they came to; the list and the ids are of those that did not succeed."""

    name: str
    requests: int

    @property
    def is_listed(self) -> bool:
        return self.name != "succeeded"


@dataclass(frozen=True, slots=True)
class StopReason:
    """Succeeded requests by the API's word for why the answer ended."""

    word: str
    requests: int

    @property
    def meaning(self) -> str:
        return STOP_REASONS.get(self.word, "")

    @property
    def is_unfinished(self) -> bool:
        """Such a request is billed, but its answer is not finished, or was refused."""
        return self.word in (*UNFINISHED, *REFUSED)

    @property
    def query(self) -> str:
        """What the address of its downloads says; empty where no word was stated."""
        return "" if self.word == NOT_STATED else urlencode({"stop_reason": self.word})


def results_context(card: Card) -> dict[str, Any]:
    """For the batch of the card; few queries, and none that a running batch has no use for."""
    batch = card.batch
    ingestion = Ingestion.objects.filter(pk=batch.pk).first() if batch.has_ended else None
    is_read = batch.has_figures
    kinds, more_kinds = failure_kinds(batch) if is_read else ([], 0)
    cancellations = receipts(batch, card.cost)
    unpriced = card.cost.unpriced
    usage = usage_table(card.cost)
    amounts = BatchAmounts.of(card.cost, usage)
    return {
        "cancellations": [
            receipt.cancellation for receipt in cancellations if receipt.cancellation
        ],
        "receipts": cancellations,
        "cost": card.cost,
        "usage": usage,
        "amounts": amounts,
        "usage_lines": list(zip(usage.lines, amounts.lines, strict=True)),
        "percent_saved": percent_saved(card.cost),
        "ingestion": ingestion,
        "is_being_read": is_being_read(ingestion, card.now),
        "is_read": is_read,
        "is_gone": is_gone(batch, card.now),
        "cost_state": cost_state(card),
        "outcomes": outcome_counts(batch, ingestion),
        "stop_reasons": stop_reasons(ingestion),
        "unfinished_query": unfinished_query(ingestion),
        "is_outdated": batch.results_state == Batch.ResultsState.OUTDATED,
        "unpriced_words": unpriced_words(card.cost),
        "other_reasons": [
            (reason_words(reason), requests)
            for reason, requests in unpriced.items()
            if reason.lacks != "model"
        ],
        "off_tier": off_tier_words(card.cost.off_tier),
        "failures": kinds,
        "more_failures": more_kinds,
        "expected_cost": expected_cost(cost_estimate(batch)),
    }


def cost_state(card: Card) -> str:
    """As `BatchCost.state`; "lost" from the moment on at which the results have expired."""
    batch = card.batch
    if is_awaited(batch) and is_gone(batch, card.now):
        return "lost"
    return card.cost.state


def is_moving(batch: Batch, now: datetime) -> bool:
    """Something may change from one moment to the next, so that the page asks often."""
    if batch.is_active:
        return True
    is_pending = batch.results_state == Batch.ResultsState.PENDING and not batch.archived_at
    return bool(is_pending and batch.ended_at and now - batch.ended_at < AWAITED)


def is_gone(batch: Batch, now: datetime) -> bool:
    """The API no longer has the results file."""
    is_lost = batch.results_state == Batch.ResultsState.LOST
    is_expired = now >= batch.results_expire_at
    return bool(is_lost or is_expired or batch.archived_at or batch.deleted_upstream_at)


def is_awaited(batch: Batch) -> bool:
    """The results are still to be read."""
    return batch.has_ended and batch.results_state in UNREAD


def is_being_read(ingestion: Ingestion | None, now: datetime) -> bool:
    return bool(ingestion and ingestion.claimed_until and ingestion.claimed_until > now)


def outcome_counts(batch: Batch, ingestion: Ingestion | None) -> list[OutcomeCount]:
    """As the results file has them, be their words new; before it is read, as the API counts."""
    if ingestion and ingestion.outcomes:
        named = sorted(ingestion.outcomes.items(), key=lambda item: -item[1])
        return [OutcomeCount(name, count) for name, count in named]
    if not batch.has_ended:
        return []
    return [OutcomeCount(share.name, share.count) for share in segments(batch)]


def stop_reasons(ingestion: Ingestion | None) -> list[StopReason]:
    """Why answers ended, the most frequent first."""
    found = ingestion.stop_reasons if ingestion else {}
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [StopReason(word, requests) for word, requests in ordered]


def unfinished_query(ingestion: Ingestion | None) -> str:
    """What the address of a download says to have all requests without a finished answer."""
    words = [each.word for each in stop_reasons(ingestion) if each.is_unfinished]
    return urlencode([("stop_reason", word) for word in words])


def expected_cost(estimate: CostEstimate | None) -> str:
    """Named an estimate, with what it rests on; empty without history."""
    if not estimate:
        return ""
    low, high = usd(estimate.low), usd(estimate.high)
    span = low if low == high else f"{low} to {high}"
    return (
        f"usually {span} (estimate: p50–p90 of the cost per request of {estimate.sample:,} "
        f"batches {BASIS_WORDS[estimate.basis]} “{estimate.name}”)"
    )
