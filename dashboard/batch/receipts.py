"""The receipt of a cancellation: who, when, why, how long it took, and what it saved."""

from dataclasses import dataclass
from datetime import datetime

from batches.models import Batch, Cancellation
from batches.spend.costs import BatchCost, saved_by_cancel
from dashboard.cost_words import cost_words
from dashboard.words import duration, plural, usd


@dataclass(frozen=True, slots=True)
class Receipt:
    """One cancellation as its batch's page shows it (ux.md 10).

    Without a `cancellation` it was requested elsewhere: the API does not say by whom.
    """

    batch: Batch
    cancellation: Cancellation | None
    cost: BatchCost

    @property
    def accepted_at(self) -> datetime | None:
        return (
            self.cancellation.accepted_at if self.cancellation else self.batch.cancel_initiated_at
        )

    @property
    def accepted_after(self) -> str:
        """From the request to the API's yes."""
        asked = self.cancellation
        return _between(asked.requested_at if asked else None, self.accepted_at)

    @property
    def ended_after(self) -> str:
        """From the API's yes to the end, in which what was being processed finished."""
        return _between(self.accepted_at, self.batch.ended_at)

    @property
    def is_settled(self) -> bool:
        """It was accepted, and the batch has ended: there is something to account for."""
        return bool(self.accepted_at and self.batch.has_ended)

    @property
    def billed(self) -> str:
        """The requests that finished and are billed, with what they cost or why that is unknown."""
        count = self.batch.succeeded
        said = f"{count:,} {plural(count, 'request')}"
        return f"{said}, {cost_words(self.cost) or usd(self.cost.total)}" if count else said

    @property
    def free(self) -> str:
        """What finished or stopped without being billed, by its outcome."""
        counts = [(name, getattr(self.batch, name)) for name in ("canceled", "errored", "expired")]
        said = [f"{count:,} {name}" for name, count in counts if count]
        return ", ".join(said) or "none: the batch finished before the cancel"

    @property
    def saved(self) -> str:
        """Roughly what was saved and how that is computed, or why it is not known."""
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
            return "not known: none succeeded, so there is no mean cost to go by"
        if self.cost.state == "pending":
            return "not known yet: the results have not been read"
        return f"not known: {cost_words(self.cost)}"


def receipts(batch: Batch, cost: BatchCost) -> list[Receipt]:
    """One for each cancellation, oldest first, and one for a cancel requested elsewhere."""
    cancellations = list(batch.cancellations.all())
    found = [Receipt(batch, cancellation, cost) for cancellation in cancellations]
    if batch.cancel_initiated_at and not any(each.accepted_at for each in cancellations):
        found.append(Receipt(batch, None, cost))
    return found


def _between(start: datetime | None, end: datetime | None) -> str:
    """Empty when one of the two is not known; "0 s" where two clocks disagree."""
    return duration((end - start).total_seconds()) if start and end else ""
