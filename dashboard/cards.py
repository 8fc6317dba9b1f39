"""A batch's card: its state, counts and cost in words, and whether the person can cancel it."""

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

# Each state has an icon and a word, never only a color.
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
EXPIRES_SOON = timedelta(hours=1)
NOT_TALLIED = "counts arrive when the batch ends"


@dataclass(frozen=True)
class Card:
    """One batch as one person sees it at one moment."""

    batch: Batch
    now: datetime
    may_cancel: bool
    # Why the cancel just requested was not saved.
    problem: str = ""
    # It no longer matches the tab or filters of the page that shows it.
    has_left: bool = False

    @property
    def key(self) -> str:
        """Unique on a page: the IDs of its elements contain it."""
        return self.batch.address.replace("@", "--")

    @property
    def cancellation(self) -> Cancellation | None:
        return self.batch.latest_cancellation

    @property
    def state(self) -> str:
        """Decides the icon and the color."""
        if self.batch.deleted_upstream_at:
            return "deleted"
        return self.batch.outcome or self.batch.processing_status

    @property
    def icon(self) -> str:
        return ICONS.get(self.state, "circle-question-mark")

    @property
    def headline(self) -> str:
        """The state, or the outcome of an ended batch: with its count unless it is of all."""
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
        """The API has counted nothing yet, so no percentage is known."""
        return self.batch.is_active and not self.batch.is_tallied

    @property
    def counts(self) -> list[tuple[str, str]]:
        """The counts in words, without zeros, each after its name; no name for other words."""
        total = self.batch.total
        if self.is_indeterminate:
            return [("", f"{total:,} {plural(total, 'request')} · {NOT_TALLIED}")]
        named = [(share.name, f"{share.count:,} {share.name}") for share in self.shares]
        return named or [("", "no requests")]

    @property
    def figures(self) -> str:
        """The counts in one line."""
        return " · ".join(words for _, words in self.counts)

    @property
    def usual(self) -> str:
        """How long batches of this size take in the workspace; empty without history."""
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
        """Canceling takes longer than is usual in this workspace."""
        began = self.batch.cancel_initiated_at
        if not (self.batch.is_active and self.batch.is_canceling and began):
            return False
        return self.now - began > usual_canceling(self.batch.workspace)

    @property
    def is_waiting(self) -> bool:
        """A cancellation is saved, and the API has not answered it yet."""
        cancellation = self.cancellation
        return bool(cancellation and cancellation.is_open and self.batch.is_active)

    @property
    def can_cancel(self) -> bool:
        return self.may_cancel and self.batch.is_cancelable and not self.is_waiting

    @property
    def refusal(self) -> str:
        """Why the last cancel failed, with the API's error; empty once the batch has ended."""
        if self.problem:
            return self.problem
        last, refused = self.cancellation, Cancellation.State.REFUSED
        if last and last.state == refused and self.batch.is_active:
            return f"The API refused to cancel this batch{refusal_words(last)}"
        return ""

    @property
    def expires_soon(self) -> bool:
        return self.batch.is_active and self.batch.expires_at - self.now < EXPIRES_SOON

    @property
    def changes_at(self) -> list[datetime]:
        """The moments at which the card changes although the batch does not."""
        batch = self.batch
        if not batch.is_active:
            return []
        moments = [batch.expires_at - EXPIRES_SOON]
        if batch.is_canceling and batch.cancel_initiated_at:
            moments.append(batch.cancel_initiated_at + usual_canceling(batch.workspace))
        elif usual := estimate(batch.workspace, batch.total):
            moments.append(batch.created_at + timedelta(seconds=usual.p90))
        return moments

    @cached_property
    def cost(self) -> BatchCost:
        """Computed once for all that the card shows of it."""
        return cost_of(self.batch)

    @property
    def cost_figure(self) -> str:
        """USD such as "12.34", otherwise "pending", "unreadable", "unpriced" or "lost".

        A batch of which some results are unreadable is "unreadable", too.
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
        """The known part of the cost and its number of requests; empty unless it is a part."""
        return known_words(self.cost)

    @property
    def cost_icon(self) -> str:
        return COST_ICONS.get(self.cost.state, "circle-question-mark")

    @property
    def saved(self) -> Decimal | None:
        """Roughly what the cancellation saved, in USD; None if unknown."""
        return saved_by_cancel(self.batch, self.cost) if self.batch.is_canceled else None


def refusal_words(refused: Cancellation) -> str:
    """The API's error, to follow "The API refused to cancel this batch"."""
    error, request_id = refused.error, refused.request_id
    for lead in (ApiRefused.lead, BatchNotFound.lead):
        if error.startswith(f"{lead} ("):
            error = error.removeprefix(lead)
            break
    else:
        error = f": {error}" if error else "."
    is_named = not request_id or request_id in error
    return error if is_named else f"{error} (request ID {request_id})"
