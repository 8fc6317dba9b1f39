from collections.abc import Iterable
from datetime import datetime

from django.db import models
from django.db.models.functions import Coalesce

from batches.models.batch import Batch
from batches.models.claim import Claimable, ClaimableQuerySet
from batches.models.revision import Revision
from batches.models.workspace import Workspace

LONGEST_NAME = 100
# What a usage row counts in addition to requests. TOKEN_CLASSES and web searches have prices.
TOKEN_CLASSES = (
    "input_tokens",
    "output_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
)
COUNTED = (*TOKEN_CLASSES, "thinking_tokens", "web_searches")
# All that the price of a usage row depends on, in addition to the day.
PRICED_BY = ("model", "prompt_over", "prompt_up_to", "inference_geo", "tier", "unpriced_by")


class BatchUsage(models.Model):
    """What the succeeded requests of one batch used, by everything that a price depends on.

    Tokens are counted as by the API; `thinking_tokens` are part of the output. Prompts were longer
    than `prompt_over` tokens and at most `prompt_up_to` tokens (None: no limit), which are limits
    from the price table. Costs are not stored, so that a corrected price table corrects history.
    """

    class Part(models.TextChoices):
        """What a model did for a request. The message's own usage excludes the latter two."""

        MESSAGE = "message", "message"
        COMPACTION = "compaction", "compaction"
        ADVISOR = "advisor", "advisor"

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="usage")
    model = models.CharField(max_length=LONGEST_NAME)
    prompt_over = models.PositiveBigIntegerField(default=0)
    prompt_up_to = models.PositiveBigIntegerField(null=True)
    # The API's word: us, global, not_available; empty if it gives none.
    inference_geo = models.CharField(max_length=40, blank=True)
    # "batch", "standard", or another of the API's words, such as "priority" or "fast".
    tier = models.CharField(max_length=40, default="batch", db_default="batch")
    part = models.CharField(
        max_length=10, choices=Part, default=Part.MESSAGE, db_default=Part.MESSAGE
    )
    # Fields in these requests' usage that change the price in a way that Batchboard doesn't know.
    unpriced_by = models.CharField(max_length=200, blank=True, default="", db_default="")

    # Each request is counted in one row only.
    requests = models.PositiveBigIntegerField()
    # Requests with any tokens in this row. A request may have tokens in several rows.
    uses = models.PositiveBigIntegerField(default=0, db_default=0)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cache_write_5m_tokens = models.PositiveBigIntegerField(default=0)
    cache_write_1h_tokens = models.PositiveBigIntegerField(default=0)
    cache_read_tokens = models.PositiveBigIntegerField(default=0)
    thinking_tokens = models.PositiveBigIntegerField(default=0)
    web_searches = models.PositiveBigIntegerField(default=0)

    # Copies of the batch's columns, so that spend reads one index and no batches. The first three
    # can't change after the end; `labels.write_labels` keeps the others up to date.
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
                # All columns that spend reads, in the order of its grouping, so that it sorts
                # nothing and reads only the index.
                fields=[
                    *("workspace", "day", *PRICED_BY, "part"),
                    *("is_canceled", "label", "owner", "requests"),
                    *(*TOKEN_CLASSES, "web_searches"),
                ],
                name="usage_spend",
            ),
            # Which batches used a model: for the list, and for unpriced models.
            models.Index(fields=["model", "batch", "workspace"], name="usage_model"),
        ]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.model}"


class FailedRequest(models.Model):
    """One request that did not succeed, as the results file describes it, without its content."""

    # No index of its own, as the one below begins with the batch.
    batch = models.ForeignKey(
        Batch, on_delete=models.CASCADE, related_name="failed_requests", db_index=False
    )
    custom_id = models.TextField()
    # The result's type: errored, canceled, expired, or one that the API has added since.
    outcome = models.CharField(max_length=60)
    error_type = models.CharField(max_length=LONGEST_NAME, blank=True)
    message = models.CharField(max_length=500, blank=True)
    request_id = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            # By kind of failure. It fits into PostgreSQL's 2,704 bytes even if every character of
            # the texts takes four.
            models.Index(
                fields=["batch", "outcome", "error_type", "message", "id"], name="failed_kinds"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.custom_id} {self.outcome}"


class ReadingQuerySet(ClaimableQuerySet["Reading"]):
    def take(self, keys: Iterable[int], now: datetime, *, owner: str) -> tuple[str, list[int]]:
        """As `ClaimableQuerySet.take`. Creates the rows of batches that have none yet."""
        self.bulk_create([Reading(batch_id=key) for key in keys], ignore_conflicts=True)
        return super().take(keys, now, owner=owner)


class Reading(Claimable):
    """The work of reading one batch's results file, and what was counted in addition to usage."""

    batch = models.OneToOneField(
        Batch, on_delete=models.CASCADE, primary_key=True, related_name="reading"
    )
    # Attempts whose file was incomplete or garbled. An API that can't be reached doesn't count.
    unreadable_attempts = models.PositiveIntegerField(default=0)

    read_at = models.DateTimeField(null=True)
    lines = models.PositiveBigIntegerField(default=0)
    # Lines that could not be understood in an otherwise complete file.
    odd_lines = models.PositiveBigIntegerField(default=0)
    # Lines that repeat the custom_id of another line.
    repeated_lines = models.PositiveBigIntegerField(default=0, db_default=0)
    # What was wrong with odd and repeated lines.
    problem = models.TextField(blank=True)
    # Requests by the result's type, and succeeded ones by stop_reason.
    outcomes = models.JSONField(default=dict)
    stop_reasons = models.JSONField(default=dict)

    objects = ReadingQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.batch_id}: {self.error or self.read_at or 'not read'}"

    def report_failure(self) -> None:
        with Revision.writing():
            self.batch.touch()
