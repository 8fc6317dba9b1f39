"""What a card says of a batch, in words: the honest bar, the state, what a person can do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from batches.client import ApiRefused, BatchNotFound
from batches.mirror.history import estimate, usual_canceling
from batches.models import Batch, Cancellation
from batches.outcome import OUTCOME_WORDS, Segment, segments
from batches.spend.costs import BatchCost, cost_of, saved_by_cancel
from dashboard.cost_words import cost_words, known_words
from dashboard.words import duration, plain_usd, plural

# Icon and word for each state: never a color alone (ux.md 22).
ICONS = {
    "in_progress": "circle-dashed",
    "canceling": "hourglass",
    "all_succeeded": "circle-check",
    "some_failed": "circle-alert",
    "all_failed": "circle-x",
    "canceled": "ban",
    "canceled_too_late": "timer-off",
    "expired": "calendar-x",
    "unknown": "circle-question-mark",
    "deleted": "trash-2",
}
COST_ICONS = {
    "pending": "clock",
    "unreadable": "file-x",
    "incomplete": "file-x",
    "unpriced": "circle-question-mark",
    "lost": "archive-x",
}
NOT_TALLIED = "counts arrive when the batch ends"


@dataclass(frozen=True)
class Card:
    """One batch as one person sees it at one moment."""

    batch: Batch
    now: datetime
    may_cancel: bool
    # What just went wrong with a press, when no cancellation row could say it.
    problem: str = ""

    @property
    def key(self) -> str:
        """Unique on a page, to make IDs of elements from."""
        return self.batch.address.replace("@", "--")

    @property
    def cancellation(self) -> Cancellation | None:
        return self.batch.latest_cancellation

    @property
    def state(self) -> str:
        """The word that decides icon and color."""
        if self.batch.deleted_upstream_at:
            return "deleted"
        return self.batch.outcome or self.batch.processing_status

    @property
    def icon(self) -> str:
        return ICONS.get(self.state, "circle-question-mark")

    @property
    def words(self) -> str:
        """State, and for an ended batch its outcome (ux.md 3), with a figure where it is a part."""
        if self.batch.deleted_upstream_at:
            return "deleted upstream"
        if self.batch.outcome in {"all_succeeded", "all_failed"}:
            return OUTCOME_WORDS[self.batch.outcome]
        if self.batch.outcome:
            return self.batch.outcome_sentence
        return self.batch.processing_status.replace("_", " ")

    @property
    def shares(self) -> list[Segment]:
        return segments(self.batch)

    @property
    def is_indeterminate(self) -> bool:
        """Nothing has been tallied yet, so that no percentage means anything (ux.md 1)."""
        return self.batch.is_active and not self.batch.is_tallied

    @property
    def figures(self) -> str:
        """The counts in words, the zeros left out once something else is known."""
        batch = self.batch
        if self.is_indeterminate:
            return f"{batch.total:,} {plural(batch.total, 'request')} · {NOT_TALLIED}"
        parts = [f"{share.count:,} {share.name}" for share in self.shares]
        return " · ".join(parts) or "no requests"

    @property
    def usual(self) -> str:
        """How long batches of this size took here, named an estimate; empty without history."""
        batch = self.batch
        if not batch.is_active or batch.is_canceling:
            return ""
        found = estimate(batch.workspace, batch.total)
        if not found:
            return ""
        low, high = duration(found.p50), duration(found.p90)
        return f"usually {low if low == high else f'{low}–{high}'}"

    @property
    def usual_basis(self) -> str:
        """How `usual` is estimated."""
        found = estimate(self.batch.workspace, self.batch.total)
        return f"Estimate: p50–p90 of {found.sample:,} batches of this size" if found else ""

    @property
    def is_late_canceling(self) -> bool:
        """Canceling for longer than it usually takes in this workspace (ux.md 2)."""
        began = self.batch.cancel_initiated_at
        if not (self.batch.is_active and self.batch.is_canceling and began):
            return False
        return self.now - began > usual_canceling(self.batch.workspace)

    @property
    def is_waiting(self) -> bool:
        """Someone asked to cancel, and the API has not agreed yet."""
        asked = self.cancellation
        return bool(asked and asked.is_open and self.batch.is_active)

    @property
    def can_cancel(self) -> bool:
        return self.may_cancel and self.batch.is_cancelable and not self.is_waiting

    @property
    def refusal(self) -> str:
        """The API's own words, for as long as the batch goes on (ux.md 9)."""
        asked = self.cancellation
        if self.problem:
            return self.problem
        if asked and asked.state == Cancellation.State.REFUSED and self.batch.is_active:
            return f"The API refused to cancel this batch{refusal_words(asked)}"
        return ""

    @property
    def expires_soon(self) -> bool:
        return self.batch.is_active and self.batch.expires_at - self.now < timedelta(hours=1)

    @cached_property
    def cost(self) -> BatchCost:
        """Reckoned once for all that the card says of it."""
        return cost_of(self.batch)

    @property
    def cost_figure(self) -> str:
        """USD such as "12.34", or why there is no figure.

        The words are "pending", "unreadable" (or some lines are), "unpriced" and "lost".
        """
        if self.cost.total is not None:
            return plain_usd(self.cost.total)
        return "unreadable" if self.cost.state == "incomplete" else self.cost.state

    @property
    def cost_words(self) -> str:
        """Why an ended batch shows no figure; empty when it does."""
        return cost_words(self.cost)

    @property
    def known_words(self) -> str:
        """For how many requests the cost is known, where it is not for all of them."""
        return known_words(self.cost)

    @property
    def cost_icon(self) -> str:
        return COST_ICONS.get(self.cost.state, "circle-question-mark")

    @property
    def saved(self) -> Decimal | None:
        """Roughly what canceling saved, in USD; None while that is not known."""
        return saved_by_cancel(self.batch, self.cost) if self.batch.is_canceled else None


def refusal_words(refused: Cancellation) -> str:
    """What the API said, to follow "The API refused to cancel this batch"."""
    error, named = refused.error, refused.request_id
    for lead in (ApiRefused.lead, BatchNotFound.lead):
        if error.startswith(f"{lead} ("):
            error = error.removeprefix(lead)
            break
    else:
        error = f": {error}" if error else "."
    return f"{error} (request ID {named})" if named and named not in error else error
