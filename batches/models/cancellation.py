from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from batches.models.audit import AuditEvent
from batches.models.batch import Batch
from batches.models.claim import Claimable, ClaimableQuerySet
from batches.models.revision import Revision

# Columns that change with the state.
REACHED = (
    *("state", "accepted_at", "settled_at", "request_id", "error"),
    *("claim", "claimed_until", "next_attempt_at"),
)
# How far Anthropic's clock and Batchboard's may differ.
CLOCKS_DIFFER = timedelta(minutes=5)
NO_LONGER_THERE = "Anthropic no longer has this batch."
OVERTAKEN = "The batch finished before the cancel took effect."


class CancellationQuerySet(ClaimableQuerySet["Cancellation"]):
    def open(self) -> Self:
        """Requested, with no outcome known yet."""
        return self.filter(state=Cancellation.State.REQUESTED)

    def standing(self) -> Self:
        """Requested or accepted: at most one for each batch."""
        return self.filter(state__in=["requested", "accepted"])

    def unsettled(self) -> Self:
        """Still waiting for the API's answer, or for the batch to end."""
        return self.standing().filter(settled_at=None)


class Cancellation(Claimable):
    """A request to cancel a batch. It is saved before the API is called, and never deleted."""

    FIRST_WAIT = 2.0

    class State(models.TextChoices):
        REQUESTED = "requested", "cancel requested, not confirmed yet"
        ACCEPTED = "accepted", "accepted by the API"
        REFUSED = "refused", "refused by the API"
        OVERTAKEN = "overtaken", "the batch finished before the cancel took effect"

    # None after the batch's workspace was deleted; the two columns below still name them.
    batch = models.ForeignKey(
        Batch, null=True, on_delete=models.SET_NULL, related_name="cancellations"
    )
    batch_api_id = models.CharField(max_length=200, blank=True)
    workspace_name = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    # A copy, as the account may be renamed or deleted.
    requested_by_name = models.CharField(max_length=150)
    requested_from = models.CharField(max_length=45, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    requested_at = models.DateTimeField()

    processing_at_request = models.PositiveBigIntegerField()
    succeeded_at_request = models.PositiveBigIntegerField()
    errored_at_request = models.PositiveBigIntegerField()
    canceled_at_request = models.PositiveBigIntegerField()
    expired_at_request = models.PositiveBigIntegerField()

    accepted_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    # 404 answers in a row, and when the first of them came.
    not_found_since = models.DateTimeField(null=True)
    not_found_count = models.PositiveIntegerField(default=0)

    # Set by `batches.cancel.request` when the cancellation had been requested before: the time of
    # this press, and whether its reason is recorded.
    repeated_at: datetime | None = None
    is_reason_kept: bool = False

    objects = CancellationQuerySet.as_manager()

    class Meta:
        ordering = ["requested_at", "id"]
        constraints = [
            # Two people who press at once make one cancellation.
            models.UniqueConstraint(
                fields=["batch"],
                condition=Q(state__in=["requested", "accepted"]),
                name="one_standing_cancellation_per_batch",
            )
        ]
        indexes = [
            # Without a condition: SQLite can't use a partial index for a query with parameters.
            models.Index(fields=["state", "next_attempt_at"], name="cancellation_state"),
        ]

    def __str__(self) -> str:
        return f"{self.batch_api_id} {self.state}"

    def settle(self, batch: Batch, now: datetime, *, refusal: str = "") -> bool:
        """Save, and record in the audit, what follows from the batch as it is now.

        The only function that changes the state; True if it did. `refusal` is the API's final
        answer that it won't cancel a batch that still runs. Needs an open transaction.
        """
        events: list[dict[str, Any]] = []
        if self._is_accepted(batch):
            self.state, self.error = self.State.ACCEPTED, ""
            self.accepted_at, self.settled_at = batch.cancel_initiated_at or now, None
            events.append(
                {
                    "action": AuditEvent.Action.CANCEL_ACCEPTED,
                    "outcome": "The API accepted the cancellation.",
                    "request_id": self.request_id,
                }
            )
        if self.settled_at is None and (event := self._last_event(batch, refusal)):
            self.settled_at = now
            events.append(event)
        if not events:
            return False
        self.claim, self.claimed_until, self.next_attempt_at = "", None, None
        self.save(update_fields=REACHED)
        for event in events:
            details: dict[str, Any] = {"by": AuditEvent.Actor.ANTHROPIC} | event
            AuditEvent.record(batch=batch, cancellation_id=self.pk, is_step=True, **details)
        return True

    def _is_accepted(self, batch: Batch) -> bool:
        """Whether the batch shows that the API accepted the cancellation, which is news."""
        if self.is_open:
            return batch.shows_cancel
        # It seemed refused and was accepted after all. A later cancel is someone else's.
        initiated = batch.cancel_initiated_at
        return bool(
            self.state == self.State.REFUSED
            and initiated
            and self.settled_at
            and self.requested_at - CLOCKS_DIFFER <= initiated <= self.settled_at + CLOCKS_DIFFER
        )

    def _last_event(self, batch: Batch, refusal: str) -> dict[str, Any] | None:
        """The event that settles the cancellation, if there is one; sets the state."""
        action = AuditEvent.Action
        if batch.has_ended:
            if not self.is_open:
                return {"action": action.BATCH_ENDED, "outcome": batch.outcome_sentence}
            self.state, self.error = self.State.OVERTAKEN, ""
            return {"action": action.CANCEL_OVERTAKEN, "outcome": OVERTAKEN}
        if batch.deleted_upstream_at:
            if self.is_open:
                self.state, self.error = self.State.REFUSED, NO_LONGER_THERE
            by = AuditEvent.Actor.BATCHBOARD
            return {"action": action.BATCH_GONE, "by": by, "outcome": NO_LONGER_THERE}
        if refusal and self.is_open:
            self.state, self.error = self.State.REFUSED, refusal
            return {
                "action": action.CANCEL_REFUSED,
                "outcome": refusal,
                "request_id": self.request_id,
            }
        return None

    def report_failure(self) -> None:
        if self.batch:
            with Revision.writing():
                self.batch.touch()

    @property
    def is_open(self) -> bool:
        return self.state == self.State.REQUESTED
