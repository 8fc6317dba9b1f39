"""The receipt of a cancellation: who, when, why, how long it took, and what it saved."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from batches.models import AuditEvent, Batch, Cancellation
from batches.spend.costs import BatchCost, saved_by_cancel
from dashboard.cost_words import cost_words
from dashboard.words import duration, plural, usd


@dataclass(frozen=True, slots=True)
class Receipt:
    """One cancellation as its batch's page shows it.

    Without a `cancellation`, someone requested it outside Batchboard; the API doesn't say who.
    """

    batch: Batch
    cancellation: Cancellation | None
    cost: BatchCost
    # The audit's events of those who requested the same cancel later, oldest first.
    repeats: Sequence[AuditEvent] = ()

    @property
    def accepted_at(self) -> datetime | None:
        cancellation = self.cancellation
        return cancellation.accepted_at if cancellation else self.batch.cancel_initiated_at

    @property
    def accepted_after(self) -> str:
        """How long it took from the request until the API accepted it."""
        requested_at = self.cancellation.requested_at if self.cancellation else None
        return _between(requested_at, self.accepted_at)

    @property
    def ended_after(self) -> str:
        """How long the requests that were processing took to finish after that."""
        return _between(self.accepted_at, self.batch.ended_at)

    @property
    def is_settled(self) -> bool:
        """It was accepted, and the batch has ended."""
        return bool(self.accepted_at and self.batch.has_ended)

    @property
    def billed(self) -> str:
        """The billed requests, with their cost or why it is unknown."""
        count = self.batch.succeeded
        requests = f"{count:,} {plural(count, 'request')}"
        cost = cost_words(self.cost) or usd(self.cost.total)
        return f"{requests}, {cost}" if count else requests

    @property
    def not_billed(self) -> str:
        """The other requests, by their outcome."""
        counts = [(name, getattr(self.batch, name)) for name in ("canceled", "errored", "expired")]
        words = [f"{count:,} {name}" for name, count in counts if count]
        return ", ".join(words) or "none: the batch finished before the cancel"

    @property
    def saved(self) -> str:
        """Roughly what was saved and how that is computed, or why it is unknown."""
        batch = self.batch
        if not batch.canceled:
            return "nothing: no request was left to cancel"
        saved = saved_by_cancel(batch, self.cost)
        if saved is not None:
            return (
                f"about {usd(saved)}: the mean cost of the {batch.succeeded:,} that succeeded "
                f"× {batch.canceled:,}"
            )
        if not batch.succeeded:
            return "unknown: none succeeded, so there is no mean cost"
        if self.cost.state == "pending":
            return "not known yet: the results have not been read"
        return f"unknown: {cost_words(self.cost)}"


def receipts(batch: Batch, cost: BatchCost) -> list[Receipt]:
    """One for each cancellation, oldest first, and one for a cancel requested elsewhere."""
    cancellations = list(batch.cancellations.all())
    repeats = _repeats(cancellations)
    found = [Receipt(batch, each, cost, repeats[each.pk]) for each in cancellations]
    if batch.cancel_initiated_at and not any(each.accepted_at for each in cancellations):
        found.append(Receipt(batch, None, cost))
    return found


def _repeats(cancellations: Sequence[Cancellation]) -> Mapping[int, list[AuditEvent]]:
    """The repeated requests of each cancellation, by its primary key."""
    events = AuditEvent.objects.filter(
        action=AuditEvent.Action.CANCEL_REPEATED,
        cancellation_id__in=[each.pk for each in cancellations],
    )
    found: dict[int, list[AuditEvent]] = defaultdict(list)
    for event in events.order_by("pk"):
        found[event.cancellation_id or 0].append(event)
    return found


def _between(start: datetime | None, end: datetime | None) -> str:
    """Empty if one of the two is unknown; "0 s" if the two clocks disagree."""
    return duration((end - start).total_seconds()) if start and end else ""
