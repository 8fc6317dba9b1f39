"""The results panel of a batch's page: its requests by outcome and by stop reason."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from batches.models import Batch, Reading
from batches.outcome import REFUSED, STOP_REASONS, UNFINISHED, segments
from batches.results.tally import NOT_STATED


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """The number of requests with one outcome."""

    name: str
    requests: int

    @property
    def is_listed(self) -> bool:
        """Batchboard keeps the requests themselves: those that did not succeed."""
        return self.name != "succeeded"


@dataclass(frozen=True, slots=True)
class StopReason:
    """The number of succeeded requests with one `stop_reason` of the API."""

    word: str
    requests: int

    @property
    def meaning(self) -> str:
        return STOP_REASONS.get(self.word, "")

    @property
    def is_unfinished(self) -> bool:
        """Such a request is billed, but its answer is unfinished or refused."""
        return self.word in (*UNFINISHED, *REFUSED)

    @property
    def query(self) -> str:
        """The query string of its downloads; empty for requests without a stop reason."""
        return "" if self.word == NOT_STATED else urlencode({"stop_reason": self.word})


def outcomes_context(batch: Batch, reading: Reading | None) -> dict[str, Any]:
    reasons = stop_reason_counts(reading)
    unfinished = [("stop_reason", reason.word) for reason in reasons if reason.is_unfinished]
    return {
        "outcomes": outcome_counts(batch, reading),
        "stop_reasons": reasons,
        "unfinished_query": urlencode(unfinished),
    }


def outcome_counts(batch: Batch, reading: Reading | None) -> list[OutcomeCount]:
    """By the results file, which may name new outcomes; until it is read, by the API's counts."""
    if reading and reading.outcomes:
        named = sorted(reading.outcomes.items(), key=lambda item: -item[1])
        return [OutcomeCount(name, count) for name, count in named]
    if not batch.has_ended:
        return []
    return [OutcomeCount(share.name, share.count) for share in segments(batch)]


def stop_reason_counts(reading: Reading | None) -> list[StopReason]:
    """The most frequent first."""
    found = reading.stop_reasons if reading else {}
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [StopReason(word, requests) for word, requests in ordered]
