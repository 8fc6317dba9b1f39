"""A batch's card: its state, counts and cost in words, and whether the person can cancel it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property

from django.urls import get_script_prefix, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from batches.client import ApiRefused, BatchNotFound
from batches.mirror.history import Estimate, estimate, usual_canceling
from batches.models import Batch, Cancellation
from batches.outcome import OUTCOME_WORDS, Segment, segments
from batches.search import ID_PREFIX
from batches.spend.costs import BatchCost, cost_of, saved_by_cancel
from batches.spend.estimates import CostEstimate, cost_estimate, cost_estimates
from dashboard.cost_words import cost_words, known_words
from dashboard.words import duration, plain_usd, plural, usd_range

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
NOT_TALLIED = "counts arrive when the batch ends"
# A card says when its batch expires if less than this is left.
SOON = timedelta(hours=3)
# A longer label may not fit into the two lines that a card has for it.
LONGEST_LABEL = 60


@dataclass(frozen=True)
class Card:
    """One batch as one person sees it at one moment."""

    batch: Batch
    now: datetime
    may_cancel: bool
    # It no longer matches the tab or filters of the page that shows it.
    has_left: bool = False

    @property
    def key(self) -> str:
        """Unique on a page: the IDs of its elements contain it."""
        return self.batch.address.replace("@", "--")

    @property
    def pk(self) -> str:
        return str(self.batch.pk)

    @property
    def attributes(self) -> SafeString:
        """The attributes by which programs and scripts know the batch.

        One piece of HTML, because a template takes as long for each as this does for all.
        """
        batch = self.batch
        return format_html(
            'data-batch="{}" data-status="{}" data-outcome="{}" data-processing="{}" '
            'data-succeeded="{}" data-errored="{}" data-canceled="{}" data-expired="{}" '
            'data-cost="{}"{}{}',
            *(batch.api_id, batch.processing_status, batch.outcome, batch.processing),
            *(batch.succeeded, batch.errored, batch.canceled, batch.expired, self.cost_figure),
            " data-deleted" if batch.deleted_upstream_at else "",
            " data-left" if self.has_left else "",
        )

    @property
    def url(self) -> str:
        return address_of("batch-detail", self.batch)

    @property
    def cancel_url(self) -> str:
        return address_of("batch-cancel", self.batch)

    @property
    def requests(self) -> str:
        return f"{self.batch.total:,}"

    @property
    def requests_word(self) -> str:
        return plural(self.batch.total, "request")

    @property
    def created(self) -> str:
        """When the batch was created, to the second, for a `<time>` that a card has room for."""
        return short_iso(self.batch.created_at)

    @property
    def ended(self) -> str:
        """When the batch ended, as `created`; empty while it has not."""
        return short_iso(self.batch.ended_at) if self.batch.ended_at else ""

    @property
    def ended_ago(self) -> str:
        ended = self.batch.ended_at
        return f"{duration((self.now - ended).total_seconds())} ago" if ended else ""

    @property
    def elapsed(self) -> str:
        """From its creation to its end, or to now."""
        return duration(self.batch.elapsed_seconds(self.now))

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
        if self.batch.outcome and not self.batch.deleted_upstream_at:
            is_of_all = self.batch.outcome in {"all_succeeded", "all_failed"}
            return self.word if is_of_all else self.batch.outcome_sentence
        return self.word

    @property
    def word(self) -> str:
        """The state, or the outcome of an ended batch, without figures."""
        if self.batch.deleted_upstream_at:
            return "deleted upstream"
        if self.batch.outcome == "canceled_too_late":
            # The rest of its words is on a second line: `has_detail`.
            return "finished"
        if self.batch.outcome:
            return OUTCOME_WORDS[self.batch.outcome]
        return self.batch.processing_status.replace("_", " ")

    @property
    def has_detail(self) -> bool:
        """Whether there is more to say about the state, on a second line."""
        batch = self.batch
        odd = batch.deleted_upstream_at or batch.outcome == "canceled_too_late" or self.expires_soon
        return bool(odd or batch.unfinished or batch.refused or batch.is_canceling)

    @property
    def name(self) -> str:
        """The label, or else the ID without its prefix."""
        return self.batch.label or self.batch.api_id.removeprefix(ID_PREFIX)

    @property
    def has_long_label(self) -> bool:
        return len(self.batch.label) > LONGEST_LABEL

    @property
    def not_tallied(self) -> str:
        return NOT_TALLIED

    @property
    def shows_counts(self) -> bool:
        """Whether the counts say more than the state and the number of requests do."""
        return not self.is_indeterminate and self.state not in {"all_succeeded", "all_failed"}

    @property
    def shares(self) -> list[Segment]:
        return segments(self.batch)

    @property
    def is_indeterminate(self) -> bool:
        """The API has counted nothing yet, so no percentage is known."""
        return self.batch.is_active and not self.batch.is_tallied

    @property
    def counted(self) -> list[Segment]:
        """The segments of what is not processing any more; the bar's rest stands for the others."""
        return [share for share in self.shares if share.name != "processing"]

    @property
    def counts(self) -> SafeString:
        """An element for each outcome that the API has counted, in words; without zeros."""
        words = ((share.name, f"{share.count:,}", share.name) for share in self.counted)
        return format_html_join("", '<span data-count="{}">{} {} </span>', words)

    @property
    def figures(self) -> str:
        """The number of requests, and their counts, in one line."""
        total = self.batch.total
        words = (
            NOT_TALLIED
            if self.is_indeterminate
            else " · ".join(f"{share.count:,} {share.name}" for share in self.shares)
        )
        return " · ".join(filter(None, (f"{total:,} {plural(total, 'request')}", words)))

    @cached_property
    def pace(self) -> Estimate | None:
        """How long batches of this size take in the workspace; None without history."""
        if not self.batch.is_active or self.batch.is_canceling:
            return None
        return estimate(self.batch.workspace, self.batch.total)

    @property
    def usual(self) -> str:
        """The pace in words; empty without history."""
        if not self.pace:
            return ""
        low, high = duration(self.pace.p50), duration(self.pace.p90)
        return f"usually {low if low == high else f'{low}–{high}'}"

    @property
    def usual_basis(self) -> str:
        """How `usual` is estimated."""
        return (
            f"Estimate: p50–p90 of {self.pace.sample:,} batches of this size" if self.pace else ""
        )

    @cached_property
    def expected(self) -> CostEstimate | None:
        """What the batch may cost; None once it is being canceled, as that changes its cost."""
        return cost_estimate(self.batch) if self.batch.is_cancelable else None

    @property
    def expected_words(self) -> str:
        """The range of the estimate; empty without one."""
        return f"est. {usd_range(self.expected.low, self.expected.high)}" if self.expected else ""

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
        last, refused = self.cancellation, Cancellation.State.REFUSED
        if last and last.state == refused and self.batch.is_active:
            return f"The API refused to cancel this batch{refusal_words(last)}"
        return ""

    @property
    def expires_soon(self) -> bool:
        return self.batch.is_active and self.batch.expires_at - self.now < SOON

    @property
    def changes_at(self) -> list[datetime]:
        """The moments at which the card changes although the batch does not."""
        batch = self.batch
        if not batch.is_active:
            return []
        moments = [batch.expires_at - SOON]
        if batch.is_canceling and batch.cancel_initiated_at:
            moments.append(batch.cancel_initiated_at + usual_canceling(batch.workspace))
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


def address_of(name: str, batch: Batch) -> str:
    """As `reverse`, which would take a fifth of the time of a card."""
    return _address_with_id(name, get_script_prefix()).replace("ID", batch.address)


@cache
def _address_with_id(name: str, prefix: str) -> str:  # noqa: ARG001
    """`prefix` is only the cache's key; `reverse` reads it by itself."""
    return reverse(name, args=["ID"])


def short_iso(moment: datetime) -> str:
    """Such as "2026-11-25T12:50:43Z"."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def cards_of(batches: Sequence[Batch], now: datetime, *, may_cancel: bool) -> list[Card]:
    """The cards of a page. The estimates of all of them take at most two queries."""
    cost_estimates(batch for batch in batches if batch.is_cancelable)
    return [Card(batch, now, may_cancel) for batch in batches]


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
