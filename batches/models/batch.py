from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery
from django.urls import reverse

from batches.client import RemoteBatch
from batches.models.revision import Revision
from batches.models.workspace import Workspace, worker_seen_at
from batches.outcome import Counts, Outcome, outcome_of, outcome_sentence, unfinished_sentence

# How long the API keeps a batch's results, counted from its creation (its documentation says it
# under "Retrieving batch results").
RESULTS_KEPT = timedelta(days=29)
# The order of rows with the same ID: an address without a workspace names the first.
FIRST = (
    F("deleted_upstream_at").asc(nulls_first=True),
    F("twin_of").asc(nulls_first=True),
    F("pk").asc(),
)
# Derived columns that lists sort by.
ORDERS = ("active_order", "length_order", "expiry_order")
# Columns that the list's tabs and its workspaces select by. With them at its end, the index of an
# order is walked without fetching a row that is not shown.
SELECTED_BY = ("workspace", "outcome", "is_active", "processing_status", "twin_of")
# Columns that take long to load for nothing.
NOT_ON_CARDS = (
    *("raw", "results_url", "resubmits", "first_revision", "changed_at"),
    *("missing_rounds", "missing_noted_at"),
)
COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")


# `cost_order` of a batch without a known cost, and of one whose cost is to be computed.
COST_UNKNOWN, COST_DUE = -1, -2
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# More than any moment or duration in microseconds, so that it ranks active batches first.
ACTIVE_FIRST = 10**18


class Derived(NamedTuple):
    """The derived columns of a row. Lists sort by the orders, the largest first."""

    outcome: Outcome
    is_active: bool
    requests: int
    # Active batches, then the others; the newest first.
    active_order: int
    # Active batches by age, then the others by duration.
    length_order: int
    # Active batches by the time left, then the others, the newest first.
    expiry_order: int


def derived(api: "RemoteBatch | Batch", counts: Counts, *, is_deleted: bool = False) -> Derived:
    """The derived columns of a row, from what the API says of its batch."""
    status, cancel = api.processing_status, api.cancel_initiated_at
    outcome = outcome_of(status, counts, cancel_initiated=cancel is not None)
    requests = sum(getattr(counts, name) for name in COUNTS)
    created = (api.created_at - EPOCH) // MICROSECOND
    if status != Batch.Status.ENDED and not is_deleted:
        expires = (api.expires_at - EPOCH) // MICROSECOND
        orders = (ACTIVE_FIRST + created, ACTIVE_FIRST - created, ACTIVE_FIRST - expires)
        return Derived(outcome, True, requests, *orders)
    # Unknown where a batch was deleted before it ended.
    ended = api.ended_at
    took = max(0, (ended - api.created_at) // MICROSECOND) if ended else -1
    return Derived(outcome, False, requests, created, took, created)


class BatchQuerySet(models.QuerySet["Batch"]):
    def walking_in_order(self, workspaces: list[int]) -> Self:
        """Batches of the workspaces, for a query that should not use an index on the workspace.

        Adding 0 prevents that. So a database walks an index with the order until a page is full,
        instead of fetching and sorting everything in the workspaces; or it reads a whole index
        with all columns that the query uses.
        """
        return self.alias(walked=F("workspace_id") + 0).filter(walked__in=workspaces)

    def with_workspace(self) -> Self:
        """Load the workspace too, without its secrets, which would have to be decrypted."""
        secrets = ("workspace__api_key", "workspace__extra_headers")
        return self.select_related("workspace").defer(*secrets)

    def for_cards(self) -> Self:
        """Load what cards show but the workspace: cancellation and usage too, in two queries."""
        lean = self.defer(*NOT_ON_CARDS)
        return lean.select_related("latest_cancellation").prefetch_related("usage")

    def with_worker_seen(self) -> Self:
        """Add the time when a worker was last seen, as `Workspace.objects.for_pages` does."""
        return self.annotate(worker_seen_at=worker_seen_at())

    def active(self) -> Self:
        """Neither ended nor deleted upstream: batches that may change at any moment."""
        return self.filter(is_active=True)

    def without_twins(self, workspaces: Sequence[Workspace]) -> Self:
        """Each batch once, even if several of the workspaces mirror it."""
        if len(workspaces) < 2 or not any(workspace.has_twins for workspace in workspaces):
            return self
        return self.exclude(twin_of__in=[workspace.pk for workspace in workspaces])

    def with_shared_ids_marked(self, workspaces: Sequence[Workspace]) -> Self:
        """Set `is_second` on batches whose ID alone names a batch of another of the workspaces.

        Anthropic's IDs are unique, but workspaces at different addresses may list the same ones.
        """
        if len({workspace.base_url for workspace in workspaces}) < 2:
            return self
        keys = [workspace.pk for workspace in workspaces]
        same = Batch.objects.filter(api_id=OuterRef("api_id"), workspace__in=keys)
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
    """The local copy of one batch. Only `batches.mirror.store` writes the API's columns."""

    class Status(models.TextChoices):
        IN_PROGRESS = "in_progress", "in progress"
        CANCELING = "canceling", "canceling"
        ENDED = "ended", "ended"

    class ResultsState(models.TextChoices):
        """Whether the results have been read, on which the batch's cost depends."""

        PENDING = "pending", "results not read yet"
        READ = "read", "results read"
        # Read by a version that knew less about usage. The figures are kept until the next reading.
        OUTDATED = "outdated", "results read by an older version"
        UNREADABLE = "unreadable", "results unreadable"
        LOST = "lost", "results lost"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="batches")
    api_id = models.CharField(max_length=200)
    # The workspace that mirrored the same batch first, if both keys belong to one Anthropic
    # workspace. People who can see both workspaces are shown that workspace's row only.
    twin_of = models.BigIntegerField(null=True, editable=False)
    # No choices: the API may add a status before we do.
    processing_status = models.CharField(max_length=60)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    cancel_initiated_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    results_url = models.TextField(null=True)  # noqa: DJ001
    raw = models.JSONField(help_text="The batch as the API last returned it.")

    # Derived from the columns above on every write, so that lists can filter and sort by them.
    outcome = models.CharField(max_length=20, blank=True)
    is_active = models.BooleanField()
    requests = models.PositiveBigIntegerField(default=0, db_default=0)
    active_order = models.BigIntegerField(default=0, db_default=0)
    length_order = models.BigIntegerField(default=0, db_default=0)
    expiry_order = models.BigIntegerField(default=0, db_default=0)

    revision = models.BigIntegerField()
    first_revision = models.BigIntegerField()
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    missing_rounds = models.PositiveSmallIntegerField(default=0)
    missing_noted_at = models.DateTimeField(null=True)
    deleted_upstream_at = models.DateTimeField(null=True)

    # The one that cards show; the batch's page shows them all.
    latest_cancellation = models.ForeignKey(
        "batches.Cancellation", null=True, on_delete=models.SET_NULL, related_name="+"
    )

    results_state = models.CharField(
        max_length=10, choices=ResultsState, default="pending", db_default="pending"
    )
    # From reading the results: lines whose outcome is not known, and succeeded requests whose
    # answer is unfinished or a refusal.
    unknown_lines = models.PositiveBigIntegerField(default=0, db_default=0)
    unfinished = models.PositiveBigIntegerField(default=0, db_default=0)
    refused = models.PositiveBigIntegerField(default=0, db_default=0)

    # The known cost in millionths of a US dollar, only to sort lists by: prices may change, so
    # every cost that is shown is computed. Readings set it to COST_DUE, and the worker computes it.
    cost_order = models.BigIntegerField(default=COST_UNKNOWN, db_default=COST_UNKNOWN)

    # Batchboard's own: the API has no such fields.
    label = models.CharField(max_length=200, blank=True)
    owner = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)
    # The earlier batch, some of whose requests this one sends again.
    resubmits = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="resubmissions"
    )

    # Set by `with_shared_ids_marked`.
    is_second: bool = False
    # Set by `with_worker_seen`.
    worker_seen_at: datetime | None

    objects = BatchQuerySet.as_manager()

    class Meta:
        constraints = [
            # In this order the index also finds a batch by its ID alone.
            models.UniqueConstraint(fields=["api_id", "workspace"], name="one_row_per_workspace")
        ]
        indexes = [
            *(
                models.Index(fields=[column, "id", *SELECTED_BY], name=f"batch_{column}")
                for column in ("created_at", "requests", *ORDERS, "cost_order")
            ),
            models.Index(
                # All columns that the tabs, the summary and most filters use, in the order of the
                # tabs' grouping, so that counting sorts nothing and reads only the index.
                fields=[
                    *("workspace", "is_active", "processing_status", "outcome"),
                    *("ended_at", "processing", "created_at", "results_state", "unknown_lines"),
                    *("label", "owner"),
                ],
                name="batch_tallies",
            ),
            models.Index(fields=["workspace", "-created_at", "-id"], name="batch_workspace"),
            models.Index(fields=["outcome", "-created_at", "-id"], name="batch_outcome"),
            models.Index(fields=["revision"], name="batch_revision"),
            models.Index(fields=["workspace", "-ended_at"], name="batch_ended"),
            # For search and suggestions.
            models.Index(fields=["label", "workspace"], name="batch_label", condition=~Q(label="")),
            models.Index(fields=["owner", "workspace"], name="batch_owner", condition=~Q(owner="")),
            models.Index(fields=["id"], name="batch_noted", condition=~Q(note="")),
            # Results still to be read, in the order in which they expire. Without a condition:
            # SQLite can't use a partial index for a query with parameters.
            models.Index(fields=["results_state", "created_at"], name="batch_unread"),
            # All columns of batches that spend uses, so that it reads only the index.
            models.Index(
                fields=[
                    *("workspace", "created_at", "results_state", "unknown_lines"),
                    *("is_active", "processing_status", "outcome", "label", "owner"),
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
        """The batch in a URL: its ID, and its workspace if the ID alone names another batch."""
        return f"{self.api_id}@{self.workspace.slug}" if self.is_second else self.api_id

    def derive(self) -> None:
        """Set the derived columns from the API's."""
        found = derived(self, self, is_deleted=self.deleted_upstream_at is not None)
        for name, value in found._asdict().items():
            setattr(self, name, value)

    def touch(self, **columns: Any) -> None:
        """Give the row the next revision, so that polls show it again.

        `columns` are Batchboard's own, to be written as well. Needs an open transaction.
        """
        revision = Revision.take(1)
        Batch.objects.filter(pk=self.pk).update(revision=revision, **columns)
        Workspace.objects.filter(pk=self.workspace_id).update(latest_revision=revision)
        self.revision = revision

    @property
    def total(self) -> int:
        """The number of requests in the batch, which is the sum of the counts."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired

    @property
    def has_ended(self) -> bool:
        return self.processing_status == self.Status.ENDED

    @property
    def is_canceling(self) -> bool:
        return self.processing_status == self.Status.CANCELING

    @property
    def shows_cancel(self) -> bool:
        """Whether the API says that the batch is being canceled, or that requests were canceled."""
        return self.is_canceling or self.cancel_initiated_at is not None or self.canceled > 0

    @property
    def is_canceled(self) -> bool:
        """Whether requests were canceled. A batch may end before its cancel takes effect."""
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
        """Whether the results have been read, by this version or an older one."""
        return self.results_state in READ_STATES

    @property
    def is_tallied(self) -> bool:
        """Whether the API has counted any outcome yet, so that a percentage has a meaning."""
        return self.total > self.processing

    @property
    def is_cancelable(self) -> bool:
        """Whether the API would accept a cancel; says nothing about a person's rights."""
        return self.is_active and not self.is_canceling

    @property
    def outcome_sentence(self) -> str:
        return outcome_sentence(self.outcome, self)

    @property
    def unfinished_sentence(self) -> str:
        """How many succeeded requests have no finished answer, such as "73 unfinished or refused".

        Empty if there are none, and before the results have been read.
        """
        return unfinished_sentence(self.unfinished, self.refused)

    def elapsed_seconds(self, now: datetime) -> float:
        """Seconds from creation to the end, or to `now`; never negative."""
        return max(0.0, ((self.ended_at or now) - self.created_at).total_seconds())


READ_STATES = (Batch.ResultsState.READ, Batch.ResultsState.OUTDATED)


class Observation(CountColumns):
    """An earlier state of a batch: its history, oldest first."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="observations")
    seen_from = models.DateTimeField()
    seen_until = models.DateTimeField()
    processing_status = models.CharField(max_length=60)

    class Meta:
        ordering = ["seen_from", "id"]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.processing_status} from {self.seen_from:%F %T}"
