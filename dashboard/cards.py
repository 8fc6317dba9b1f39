"""What a card says of a batch, in words: the honest bar, the state, what a person can do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from batches.history import estimate, usual_canceling
from batches.models import Batch, Cancellation
from batches.outcome import OUTCOME_WORDS, Share, shares

# Icon and word for each state: never a colour alone (ux.md 22).
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


@dataclass(frozen=True, slots=True)
class Card:
    """One batch as one person sees it at one moment."""

    batch: Batch
    now: datetime
    may_cancel: bool
    # What just went wrong with a press, when no cancellation row could say it.
    problem: str = ""

    @property
    def cancellation(self) -> Cancellation | None:
        return self.batch.latest_cancellation

    @property
    def state(self) -> str:
        """The word that decides icon and colour."""
        if self.batch.deleted_upstream_at:
            return "deleted"
        return self.batch.outcome or self.batch.processing_status

    @property
    def icon(self) -> str:
        return ICONS.get(self.state, "circle-question-mark")

    @property
    def words(self) -> str:
        """State, and for an ended batch what it came to (ux.md 3)."""
        if self.batch.deleted_upstream_at:
            return "deleted at the API"
        if self.batch.outcome:
            return OUTCOME_WORDS[self.batch.outcome]
        return self.batch.processing_status.replace("_", " ")

    @property
    def shares(self) -> list[Share]:
        return shares(self.batch)

    @property
    def is_indeterminate(self) -> bool:
        """Nothing has been tallied yet, so that no percentage means anything (ux.md 1)."""
        return self.batch.is_active and not self.batch.is_tallied

    @property
    def figures(self) -> str:
        """The counts in words, the zeros left out once something else is known."""
        batch = self.batch
        if self.is_indeterminate:
            return f"{batch.total:,} {plural(batch.total, 'request')}, none tallied yet"
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
        span = low if low == high else f"{low} to {high}"
        return f"usually {span} (estimate: p50–p90 of {found.sample:,} batches of this size)"

    @property
    def is_late_canceling(self) -> bool:
        """Canceling for longer than it usually takes in this workspace (ux.md 2)."""
        began = self.batch.cancel_initiated_at
        if not (self.batch.is_active and self.batch.is_canceling and began):
            return False
        return self.now - began > usual_canceling(self.batch.workspace)

    @property
    def is_waiting(self) -> bool:
        """Somebody asked to cancel, and the API has not agreed yet."""
        wish = self.cancellation
        return bool(wish and wish.is_open and self.batch.is_active)

    @property
    def can_cancel(self) -> bool:
        return self.may_cancel and self.batch.is_cancelable and not self.is_waiting

    @property
    def refusal(self) -> str:
        """The API's own words, for as long as the batch goes on (ux.md 9)."""
        wish = self.cancellation
        if self.problem:
            return self.problem
        if wish and wish.state == Cancellation.State.REFUSED and self.batch.is_active:
            return f"The API refused to cancel this batch: {wish.error}"
        return ""

    @property
    def expires_soon(self) -> bool:
        return self.batch.is_active and self.batch.expires_at - self.now < timedelta(hours=1)


def plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def duration(seconds: float) -> str:
    """Two units at most, such as "41 s", "12 min", "3 h 05 min", "2 d 4 h"; never negative."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 3600:
        return f"{minutes} min"
    if whole < 86400:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{days} d {hours % 24} h"
