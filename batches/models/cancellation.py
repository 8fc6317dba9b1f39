from datetime import datetime, timedelta
from typing import Self

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
# How far Anthropic's clock and ours may differ.
CLOCKS_DIFFER = timedelta(minutes=5)
NO_LONGER_THERE = "Anthropic no longer has this batch."
OVERTAKEN = "The batch finished before the cancel took effect."


class CancellationQuerySet(ClaimableQuerySet["Cancellation"]):
    def open(self) -> Self:
        """Requested, and not known to be accepted, refused or overtaken."""
        return self.filter(state=Cancellation.State.REQUESTED)

    def unsettled(self) -> Self:
        """Still waiting for the API's answer, or for the batch to end."""
        return self.filter(state__in=["requested", "accepted"], settled_at=None)


class Cancellation(Claimable):
    """A request to cancel a batch: saved before the API is called, and kept for good."""

    FIRST_WAIT = 2.0

    class State(models.TextChoices):
        REQUESTED = "requested", "cancel requested, not confirmed yet"
        ACCEPTED = "accepted", "accepted by the API"
        REFUSED = "refused", "refused by the API"
        OVERTAKEN = "overtaken", "the batch finished before the cancel took effect"

    # Without a batch once its workspace has been deleted; the copies below say which it was.
    batch = models.ForeignKey(
        Batch, null=True, on_delete=models.SET_NULL, related_name="cancellations"
    )
    batch_api_id = models.CharField(max_length=200, blank=True)
    workspace_name = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Kept apart from the account, which may be renamed or deleted.
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
    # 404s in a row.
    not_found_since = models.DateTimeField(null=True)
    not_found_count = models.PositiveIntegerField(default=0)

    objects = CancellationQuerySet.as_manager()

    class Meta:
        ordering = ["requested_at", "id"]
        constraints = [
            # Two people who press at once make one cancellation (ux.md 8).
            models.UniqueConstraint(
                fields=["batch"],
                condition=Q(state__in=["requested", "accepted"]),
                name="one_standing_cancellation_per_batch",
            )
        ]
        indexes = [
            # Whole: SQLite takes no index with a condition for a query with parameters.
            models.Index(fields=["state", "next_attempt_at"], name="cancellation_state"),
        ]

    def __str__(self) -> str:
        return f"{self.batch_api_id} {self.state}"

    def settle(self, batch: Batch, now: datetime) -> bool:
        """Bring the row in line with what the mirror shows of its batch; whether it changed.

        Accepted only when the API says that the batch is being canceled, or was.
        """
        before = self.state, self.settled_at
        if self._can_be_accepted(batch):
            self.accept(batch, batch.cancel_initiated_at or now)
        if batch.has_ended and self.settled_at is None:
            self.settled_at = now
            if self.is_open:
                self.state, self.error = self.State.OVERTAKEN, ""
                self._close(AuditEvent.Action.CANCEL_OVERTAKEN, batch, outcome=OVERTAKEN)
            else:
                self._close(AuditEvent.Action.BATCH_ENDED, batch, outcome=batch.outcome_sentence)
        return (self.state, self.settled_at) != before

    def _can_be_accepted(self, batch: Batch) -> bool:
        if self.is_open:
            return batch.shows_cancel
        # What was called refused was accepted after all. A later cancel is another person's.
        initiated = batch.cancel_initiated_at
        return bool(
            self.state == self.State.REFUSED
            and initiated
            and self.settled_at
            and self.requested_at - CLOCKS_DIFFER <= initiated <= self.settled_at + CLOCKS_DIFFER
        )

    def accept(self, batch: Batch, at: datetime) -> None:
        """The API has taken it, at `at`."""
        self.state, self.accepted_at, self.settled_at = self.State.ACCEPTED, at, None
        self.error = ""
        self._close(
            AuditEvent.Action.CANCEL_ACCEPTED,
            batch,
            outcome="The API accepted the cancellation.",
            request_id=self.request_id,
        )

    def refuse(self, batch: Batch, now: datetime, *, error: str, request_id: str = "") -> None:
        """The API won't cancel the batch, which still runs; `error` is its answer."""
        self.state, self.settled_at, self.error = self.State.REFUSED, now, error
        self.request_id = request_id or self.request_id
        self._close(
            AuditEvent.Action.CANCEL_REFUSED, batch, outcome=error, request_id=self.request_id
        )

    def settle_without_batch(self, batch: Batch, now: datetime) -> None:
        """The batch is gone upstream: nothing is left that could be canceled."""
        self.settled_at = now
        if self.is_open:
            self.state, self.error = self.State.REFUSED, NO_LONGER_THERE
        self._close(
            AuditEvent.Action.BATCH_GONE,
            batch,
            by=AuditEvent.Actor.BATCHBOARD,
            outcome=NO_LONGER_THERE,
        )

    def _close(
        self,
        action: str,
        batch: Batch,
        *,
        by: AuditEvent.Actor = AuditEvent.Actor.ANTHROPIC,
        outcome: str,
        request_id: str = "",
    ) -> None:
        """Save the state that was reached and record it in the audit.

        `request_id` names the API's answer, where the state comes from one.
        """
        self.claim, self.claimed_until, self.next_attempt_at = "", None, None
        self.save(update_fields=REACHED)
        AuditEvent.record(
            action,
            by=by,
            batch=batch,
            cancellation_id=self.pk,
            is_step=True,
            outcome=outcome,
            request_id=request_id,
        )

    def report_failure(self) -> None:
        if self.batch:
            with Revision.writing():
                self.batch.touch()

    @property
    def is_open(self) -> bool:
        return self.state == self.State.REQUESTED

    @property
    def stands(self) -> bool:
        """Requested and not refused: pressing again adds nothing."""
        return self.state in {self.State.REQUESTED, self.State.ACCEPTED}
