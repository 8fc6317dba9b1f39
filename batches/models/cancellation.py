from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from batches.models.audit import AuditEvent
from batches.models.batch import Batch

# Longer than the bound on one attempt, so that nobody takes over a call still under way.
CLAIM = timedelta(seconds=30)
# What changes with the state.
REACHED = (
    "state",
    "accepted_at",
    "settled_at",
    "request_id",
    "error",
    "claimed_until",
    "next_attempt_at",
)


class CancellationQuerySet(models.QuerySet["Cancellation"]):
    def open(self) -> Self:
        """Asked for, and not known to be accepted, refused or overtaken."""
        return self.filter(state=Cancellation.State.REQUESTED)

    def unsettled(self) -> Self:
        """Still waiting for the API's word, or for the batch to end."""
        return self.filter(state__in=["requested", "accepted"], settled_at=None)

    def due(self, now: datetime) -> Self:
        """Open, not being tried by anybody, and past its back-off."""
        return self.open().filter(
            Q(claimed_until=None) | Q(claimed_until__lt=now),
            Q(next_attempt_at=None) | Q(next_attempt_at__lte=now),
        )

    def claim(self, pk: int, now: datetime) -> bool:
        """Whether this caller, and nobody else, may try the API now."""
        return bool(
            self.open()
            .filter(Q(claimed_until=None) | Q(claimed_until__lt=now), pk=pk)
            .update(claimed_until=now + CLAIM)
        )


class Cancellation(models.Model):
    """Somebody's wish to stop a batch: stored before the API is asked, kept for good."""

    class State(models.TextChoices):
        REQUESTED = "requested", "cancel requested, not confirmed yet"
        ACCEPTED = "accepted", "accepted by the API"
        REFUSED = "refused", "refused by the API"
        OVERTAKEN = "overtaken", "the batch ended by itself first"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="cancellations")
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
    request_id = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)

    attempts = models.PositiveIntegerField(default=0)
    not_found_since = models.DateTimeField(null=True)
    not_found_count = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(null=True)

    # Not a column: whoever made the row with a claim may try it without claiming again.
    is_mine = False

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
            models.Index(
                fields=["next_attempt_at"], name="cancellation_open", condition=Q(state="requested")
            )
        ]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.state}"

    def accept(self, at: datetime) -> None:
        """The API has taken it, at `at`. Nothing else may say so."""
        self.state, self.accepted_at, self.error = self.State.ACCEPTED, at, ""
        self.close_attempt("cancel accepted", outcome="The API accepted the cancellation.")

    def refuse(self, now: datetime, *, error: str, request_id: str = "") -> None:
        """The API will not take it, for the reason it gave."""
        self.state, self.settled_at, self.error = self.State.REFUSED, now, error
        self.request_id = request_id or self.request_id
        self.close_attempt("cancel refused", outcome=error)

    def settle(self, batch: Batch, now: datetime) -> None:
        """Bring the wish in line with what the mirror now shows of its batch."""
        if self.is_open and batch.cancel_initiated_at:
            self.accept(batch.cancel_initiated_at)
        if not batch.has_ended:
            return
        self.settled_at = now
        if self.is_open:
            self.state, self.error = self.State.OVERTAKEN, ""
            self.close_attempt("cancel overtaken", outcome="The batch ended by itself first.")
        else:
            self.close_attempt("batch ended", outcome=batch.outcome_sentence)

    def settle_without_batch(self, now: datetime) -> None:
        """The batch is gone upstream: nothing is left that could be canceled."""
        if self.is_open:
            self.refuse(now, error="The API no longer has this batch.")
        else:
            self.settled_at = now
            self.close_attempt("batch gone", outcome="The API no longer has this batch.")

    def close_attempt(self, action: str, *, outcome: str) -> None:
        """Save the state reached and write it into the audit."""
        self.claimed_until = self.next_attempt_at = None
        self.save(update_fields=REACHED)
        AuditEvent.record(
            action,
            actor_name=self.requested_by_name,
            actor_id=self.requested_by_id,
            batch=self.batch,
            address=self.requested_from,
            reason=self.reason,
            outcome=outcome,
            request_id=self.request_id,
        )

    @property
    def is_open(self) -> bool:
        return self.state == self.State.REQUESTED

    @property
    def stands(self) -> bool:
        """Asked for and not turned down: pressing again adds nothing."""
        return self.state in {self.State.REQUESTED, self.State.ACCEPTED}
