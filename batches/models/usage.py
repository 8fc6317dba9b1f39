from collections.abc import Iterable
from datetime import datetime

from django.db import models
from django.db.models.functions import Coalesce

from batches.models.batch import Batch
from batches.models.claim import Claimable, ClaimableQuerySet
from batches.models.revision import Revision
from batches.models.workspace import Workspace

LONGEST_NAME = 100
# What a usage row counts, beside its requests; the billed ones have prices (see pricing).
TOKEN_CLASSES = (
    "input_tokens",
    "output_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
)
COUNTED = (*TOKEN_CLASSES, "thinking_tokens", "web_searches")
# Beside the day, all that the price of a usage row depends on.
PRICED_BY = ("model", "prompt_over", "prompt_up_to", "inference_geo", "tier", "unpriced_by")


class BatchUsage(models.Model):
    """What the succeeded requests of one batch used, by all that a price depends on.

    Tokens are as the API counts them; `thinking_tokens` are part of the output. The bracket says
    between which boundaries of the price table each prompt lay: over `prompt_over` tokens, and up
    to `prompt_up_to` (None: no upper bound). Costs are computed when asked for, never stored, so
    that a corrected table corrects history.
    """

    class Part(models.TextChoices):
        """What a model did for a request; the latter two are in no figure of the message."""

        MESSAGE = "message", "message"
        COMPACTION = "compaction", "compaction"
        ADVISOR = "advisor", "advisor"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="usage")
    model = models.CharField(max_length=LONGEST_NAME)
    prompt_over = models.PositiveBigIntegerField(default=0)
    prompt_up_to = models.PositiveBigIntegerField(null=True)
    # As the API says it: us, global, not_available; empty where it says nothing.
    inference_geo = models.CharField(max_length=40, blank=True)
    # "batch", "standard", or another word of the API's, such as "priority" or "fast".
    tier = models.CharField(max_length=40, default="batch", db_default="batch")
    part = models.CharField(
        max_length=10, choices=Part, default=Part.MESSAGE, db_default=Part.MESSAGE
    )
    # The fields of these requests' usage that may change the price in a way not known here.
    unpriced_by = models.CharField(max_length=200, blank=True, default="", db_default="")

    # Over all rows each request is counted once.
    requests = models.PositiveBigIntegerField()
    # Requests that have any tokens in this row; a request may have some in several.
    uses = models.PositiveBigIntegerField(default=0, db_default=0)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cache_write_5m_tokens = models.PositiveBigIntegerField(default=0)
    cache_write_1h_tokens = models.PositiveBigIntegerField(default=0)
    cache_read_tokens = models.PositiveBigIntegerField(default=0)
    thinking_tokens = models.PositiveBigIntegerField(default=0)
    web_searches = models.PositiveBigIntegerField(default=0)

    # The batch's own, once more: spend sums over one index alone, without the batches. The first
    # three can't change after the end; `labels.label_batch` writes the others in both places.
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    day = models.DateField(help_text="UTC day on which the batch was created.")
    is_canceled = models.BooleanField()
    label = models.CharField(max_length=200, blank=True)
    owner = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                *("batch", "model", "prompt_over", Coalesce("prompt_up_to", 0)),
                *("inference_geo", "tier", "part", "unpriced_by"),
                name="one_usage_row_per_price",
            )
        ]
        indexes = [
            models.Index(
                # All that spend reads, in the order it groups by: nothing is sorted, and no row
                # of the table is touched.
                fields=[
                    *("workspace", "day", *PRICED_BY, "part"),
                    *("is_canceled", "label", "owner", "requests"),
                    *(*TOKEN_CLASSES, "web_searches"),
                ],
                name="usage_spend",
            ),
            # Which batches used a model: the list's filter, and unpriced ones.
            models.Index(fields=["model", "batch"], name="usage_model"),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.model}"


class FailedRequest(models.Model):
    """One request that did not succeed, in the results file's own words; never its content."""

    # The index below begins with the batch.
    batch = models.ForeignKey(
        Batch, on_delete=models.CASCADE, related_name="failed_requests", db_index=False
    )
    custom_id = models.TextField()
    # The result's type: errored, canceled, expired, or a word the API has added since.
    outcome = models.CharField(max_length=60)
    error_type = models.CharField(max_length=LONGEST_NAME, blank=True)
    message = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["batch", "outcome", "error_type", "id"], name="failed_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.custom_id} {self.outcome}"


class IngestionQuerySet(ClaimableQuerySet["Ingestion"]):
    def take(self, keys: Iterable[int], now: datetime, *, owner: str) -> tuple[str, list[int]]:
        """As `ClaimableQuerySet.take`, for batches by primary key, which may have no row yet."""
        self.bulk_create([Ingestion(batch_id=key) for key in keys], ignore_conflicts=True)
        return super().take(keys, now, owner=owner)


class Ingestion(Claimable):
    """How the reading of one batch's results file goes, and what it counted beside usage."""

    batch = models.OneToOneField(
        Batch, on_delete=models.CASCADE, primary_key=True, related_name="ingestion"
    )
    # Attempts whose file was short, cut or garbled; an API that can't be reached costs none.
    unreadable_attempts = models.PositiveIntegerField(default=0)

    ingested_at = models.DateTimeField(null=True)
    lines = models.PositiveBigIntegerField(default=0)
    # Lines that could not be understood in a file that was whole otherwise, and what was wrong.
    odd_lines = models.PositiveBigIntegerField(default=0)
    # Lines that repeat the custom_id of another one.
    repeated_lines = models.PositiveBigIntegerField(default=0, db_default=0)
    problem = models.TextField(blank=True)
    # Requests by the result's type, and succeeded ones by stop_reason.
    outcomes = models.JSONField(default=dict)
    stop_reasons = models.JSONField(default=dict)

    objects = IngestionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.batch_id}: {self.error or self.ingested_at or 'not read'}"

    def report_failure(self) -> None:
        with Revision.writing():
            self.batch.touch()
