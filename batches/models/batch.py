from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.urls import reverse

from batches.models.revision import Revision
from batches.models.workspace import Workspace, worker_seen_at
from batches.outcome import Counts, Outcome, outcome_of, outcome_sentence, unfinished_sentence

# How long the API keeps a batch's results, counted from its creation (its documentation says it
# under "Retrieving batch results").
RESULTS_KEPT = timedelta(days=29)
# Of several rows of one ID, the first is the one that the ID alone names.
FIRST = (
    F("deleted_upstream_at").asc(nulls_first=True),
    F("twin_of").asc(nulls_first=True),
    F("pk").asc(),
)
COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")


def derived(
    status: str, counts: Counts, cancel_initiated_at: datetime | None, *, is_deleted: bool = False
) -> tuple[Outcome, bool]:
    """`outcome` and `is_active` of a row, from what the API says of its batch."""
    outcome = outcome_of(status, counts, cancel_initiated=cancel_initiated_at is not None)
    return outcome, status != Batch.Status.ENDED and not is_deleted


class BatchQuerySet(models.QuerySet["Batch"]):
    def walking_in_order(self, workspaces: list[int]) -> Self:
        """Those of the workspaces, for a list that shows only its beginning.

        Left to itself a database may fetch all that the workspaces hold and sort it. With one
        workspace an index has the order; with several, adding 0 keeps it from using an index on
        them, so that it walks the one that has the order and stops when the page is full.
        """
        if len(workspaces) == 1:
            return self.filter(workspace=workspaces[0])
        return self.alias(walked=F("workspace_id") + 0).filter(walked__in=workspaces)

    def with_workspace(self) -> Self:
        """With the workspace, but without its secrets: to read them is to decrypt them."""
        secrets = ("workspace__api_key", "workspace__extra_headers")
        return self.select_related("workspace").defer(*secrets)

    def for_cards(self) -> Self:
        """With what a card shows beside the batch: one more query for what all of them cost."""
        lean = self.with_workspace().defer("raw")
        return lean.select_related("latest_cancellation").prefetch_related("usage")

    def with_worker_seen(self) -> Self:
        """With the time a worker was last seen, as `Workspace.objects.for_pages`."""
        return self.annotate(worker_seen_at=worker_seen_at())

    def active(self) -> Self:
        """Not ended and not gone: what can still change from one minute to the next."""
        return self.filter(is_active=True)

    def without_twins(self, workspaces: Sequence[Workspace]) -> Self:
        """Each batch once, of workspaces that may mirror some of the same ones."""
        if len(workspaces) < 2 or not any(workspace.has_twins for workspace in workspaces):
            return self
        return self.exclude(twin_of__in=[workspace.pk for workspace in workspaces])

    def told_apart(self, workspaces: Sequence[Workspace]) -> Self:
        """Marks those whose ID alone names a batch of another of the workspaces (`address`).

        Anthropic's IDs are unique, but workspaces at different addresses may list the same ones.
        """
        if len({workspace.base_url for workspace in workspaces}) < 2:
            return self
        mine = [workspace.pk for workspace in workspaces]
        same = Batch.objects.filter(api_id=OuterRef("api_id"), workspace__in=mine)
        first = same.order_by(*FIRST).values("pk")[:1]
        return self.annotate(is_second=~Q(pk=Subquery(first)))

    def changed_since(self, revision: int) -> Self:
        return self.filter(revision__gt=revision)


class CountColumns(models.Model):
    """The API's request counts, each a number of requests."""

    processing = models.PositiveBigIntegerField()
    succeeded = models.PositiveBigIntegerField()
    errored = models.PositiveBigIntegerField()
    canceled = models.PositiveBigIntegerField()
    expired = models.PositiveBigIntegerField()

    class Meta:
        abstract = True


class Batch(CountColumns):
    """A local copy of one batch. The API is the authority; only `store` writes its columns."""

    class Status(models.TextChoices):
        IN_PROGRESS = "in_progress", "in progress"
        CANCELING = "canceling", "canceling"
        ENDED = "ended", "ended"

    class ResultsState(models.TextChoices):
        """How far our reading of the results is; what the batch's cost hangs on (ux.md 4)."""

        PENDING = "pending", "results not read yet"
        READ = "read", "results read"
        # By a version that knew less of usage. Its figures stand until they are read again.
        OUTDATED = "outdated", "results read by an older version"
        UNREADABLE = "unreadable", "results unreadable"
        LOST = "lost", "results lost"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="batches")
    api_id = models.CharField(max_length=200)
    # The workspace that mirrors the same batch and was first, where both keys belong to one
    # Anthropic workspace: whoever sees both is shown that one alone.
    twin_of = models.BigIntegerField(null=True, editable=False)
    # No choices: the API may add a status before we do.
    processing_status = models.CharField(max_length=60)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    cancel_initiated_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    results_url = models.TextField(null=True)  # noqa: DJ001
    raw = models.JSONField(help_text="The batch as the API last told it.")

    # Derived from the above on every write, so that lists can filter and sort by them.
    outcome = models.CharField(max_length=20, blank=True)
    is_active = models.BooleanField()

    revision = models.BigIntegerField()
    first_revision = models.BigIntegerField()
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    missing_rounds = models.PositiveSmallIntegerField(default=0)
    missing_noted_at = models.DateTimeField(null=True)
    deleted_upstream_at = models.DateTimeField(null=True)

    # The one a card speaks of; the others are on the batch's page.
    latest_cancellation = models.ForeignKey(
        "batches.Cancellation", null=True, on_delete=models.SET_NULL, related_name="+"
    )

    results_state = models.CharField(
        max_length=10, choices=ResultsState, default="pending", db_default="pending"
    )
    # Of the results as they were read: lines of which it is not known what they came to, and
    # succeeded requests whose answer is not finished, or was refused.
    unknown_lines = models.PositiveBigIntegerField(default=0, db_default=0)
    unfinished = models.PositiveBigIntegerField(default=0, db_default=0)
    refused = models.PositiveBigIntegerField(default=0, db_default=0)

    # Ours alone: the API has no such fields (ux.md 16).
    label = models.CharField(max_length=200, blank=True)
    owner = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)

    # Set where the ID alone names a batch of another workspace: see `told_apart`.
    is_second: bool = False
    # A column of the queries of `with_worker_seen` alone.
    worker_seen_at: datetime | None

    objects = BatchQuerySet.as_manager()

    class Meta:
        constraints = [
            # In this order the index also finds a batch by its ID alone.
            models.UniqueConstraint(fields=["api_id", "workspace"], name="one_row_per_workspace")
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="batch_newest"),
            models.Index(
                F("is_active").desc(), F("created_at").desc(), F("id").desc(), name="batch_active"
            ),
            models.Index(
                F("workspace").asc(),
                F("is_active").desc(),
                F("created_at").desc(),
                F("id").desc(),
                name="batch_workspace_active",
            ),
            models.Index(
                # All that the tabs and the summary count, so that they read nothing else.
                fields=[
                    "workspace",
                    "is_active",
                    "processing_status",
                    "outcome",
                    "ended_at",
                    "processing",
                ],
                name="batch_tallies",
            ),
            models.Index(fields=["workspace", "-created_at", "-id"], name="batch_workspace"),
            models.Index(fields=["outcome", "-created_at", "-id"], name="batch_outcome"),
            models.Index(fields=["revision"], name="batch_revision"),
            models.Index(fields=["workspace", "-ended_at"], name="batch_ended"),
            models.Index(fields=["label"], name="batch_label", condition=~Q(label="")),
            models.Index(fields=["owner"], name="batch_owner", condition=~Q(owner="")),
            # What is still to be read, oldest first, as it expires first. Whole: SQLite takes no
            # index with a condition for a query whose values come as parameters.
            models.Index(fields=["results_state", "created_at"], name="batch_unread"),
            # All that spend counts of batches, so that it reads nothing else.
            models.Index(
                fields=[
                    *("workspace", "created_at", "results_state", "unknown_lines"),
                    *("is_active", "outcome", "label", "owner"),
                ],
                name="batch_spend",
            ),
        ]

    def __str__(self) -> str:
        return self.api_id

    def get_absolute_url(self) -> str:
        return reverse("batch-detail", args=[self.address])

    @property
    def address(self) -> str:
        """Names the batch in the addresses of its pages: by its ID and, if need be, workspace."""
        return f"{self.api_id}@{self.workspace.slug}" if self.is_second else self.api_id

    def derive(self) -> None:
        """Bring the derived columns in line with what the API said."""
        self.outcome, self.is_active = derived(
            self.processing_status,
            self,
            self.cancel_initiated_at,
            is_deleted=self.deleted_upstream_at is not None,
        )

    def touch(self, **beside: Any) -> None:
        """Give the row the next revision, so that polls show what changed beside it.

        `beside` are columns that are not the API's, to be written along. Needs an open
        transaction.
        """
        revision = Revision.take(1)
        Batch.objects.filter(pk=self.pk).update(revision=revision, **beside)
        Workspace.objects.filter(pk=self.workspace_id).update(latest_revision=revision)
        self.revision = revision

    @property
    def total(self) -> int:
        """Requests in the batch: the five counts always sum to it (api.md)."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired

    @property
    def has_ended(self) -> bool:
        return self.processing_status == self.Status.ENDED

    @property
    def is_canceling(self) -> bool:
        return self.processing_status == self.Status.CANCELING

    @property
    def shows_cancel(self) -> bool:
        """The API says that the batch is being canceled, or that requests of it were."""
        return self.is_canceling or self.cancel_initiated_at is not None or self.canceled > 0

    @property
    def is_canceled(self) -> bool:
        """The API canceled requests of it; one that ended before the cancel took hold was not."""
        return self.outcome == "canceled"

    @property
    def results_expire_at(self) -> datetime:
        """When the API deletes the results."""
        return self.created_at + RESULTS_KEPT

    @property
    def results_kept_days(self) -> int:
        """Days after its creation when the API deletes the results."""
        return RESULTS_KEPT.days

    @property
    def has_figures(self) -> bool:
        """Its results have been read, by this version or an older one."""
        return self.results_state in READ_STATES

    @property
    def is_tallied(self) -> bool:
        """Some count but `processing` has moved, so that a percentage means something."""
        return self.total > self.processing

    @property
    def is_cancelable(self) -> bool:
        """The API would still take a cancel: what it says itself, whoever asks."""
        return self.is_active and not self.is_canceling

    @property
    def outcome_sentence(self) -> str:
        return outcome_sentence(self.outcome, self)

    @property
    def unfinished_sentence(self) -> str:
        """How many succeeded requests have no finished answer, such as "73 unfinished or refused".

        Empty where there are none, and before the results have been read.
        """
        return unfinished_sentence(self.unfinished, self.refused)

    def elapsed_seconds(self, now: datetime) -> float:
        """From creation to the end, or to `now`; never negative, whatever the clocks say."""
        return max(0.0, ((self.ended_at or now) - self.created_at).total_seconds())


READ_STATES = (Batch.ResultsState.READ, Batch.ResultsState.OUTDATED)


class Observation(CountColumns):
    """What the mirror had seen of a batch before it changed: its history, oldest first."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="observations")
    seen_from = models.DateTimeField()
    seen_until = models.DateTimeField()
    processing_status = models.CharField(max_length=60)

    class Meta:
        ordering = ["seen_from", "id"]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.processing_status} from {self.seen_from:%F %T}"
