import hashlib
import random
import uuid
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q

from batches.fields import EncryptedTextField

LEASE = timedelta(seconds=90)
LONGEST_BACK_OFF_SECONDS = 300.0
# How many poll intervals may pass before the page stops calling itself fresh (ux.md 5).
STALE_AFTER_POLLS = 3


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    def due(self, now: datetime) -> Self:
        """Those whose next round is due and that no mirror holds."""
        return self.filter(
            Q(next_sync_at=None) | Q(next_sync_at__lte=now),
            Q(leased_until=None) | Q(leased_until__lt=now),
            is_enabled=True,
        )

    def for_pages(self) -> Self:
        """Without the key: pages have no use for it."""
        return self.defer("api_key")

    def claim(self, workspace: "Workspace", now: datetime) -> str | None:
        """A lease's token, or None when another mirror was quicker."""
        token = uuid.uuid4().hex
        claimed = (
            self.due(now).filter(pk=workspace.pk).update(lease=token, leased_until=now + LEASE)
        )
        return token if claimed else None


class Workspace(models.Model):
    """One API key's view of the API: the batches that this key lists."""

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    base_url = models.CharField(
        max_length=300,
        validators=[URLValidator(schemes=["http", "https"])],
        default="https://api.anthropic.com",
    )
    api_key = EncryptedTextField(blank=True, editable=False)
    auth = models.CharField(
        max_length=10,
        choices=[("x-api-key", "x-api-key"), ("bearer", "Authorization: Bearer")],
        default="x-api-key",
    )
    anthropic_workspace_id = models.CharField(
        max_length=100,
        blank=True,
        help_text="Only for a credential that spans workspaces: the wrkspc_… it should act in.",
    )
    # What the API's answers call this key's workspace: the vendor's reports use the same word.
    api_workspace_id = models.CharField(max_length=100, blank=True, editable=False)
    from_environment = models.BooleanField(default=False, editable=False)
    is_enabled = models.BooleanField(default=True)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="workspaces"
    )

    next_sync_at = models.DateTimeField(null=True, editable=False)
    # The pace that the last round chose: quick while something is active.
    interval_seconds = models.FloatField(default=10, editable=False)
    lease = models.CharField(max_length=32, blank=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    last_synced_at = models.DateTimeField(null=True, editable=False)
    last_full_round_at = models.DateTimeField(null=True, editable=False)
    # Every batch created before this moment has been listed at least once.
    covered_until = models.DateTimeField(null=True, editable=False)
    # Where the first round goes on after a crash; empty once it reached the end.
    backfill_after_id = models.CharField(max_length=200, blank=True, editable=False)
    backfilled_at = models.DateTimeField(null=True, editable=False)

    # The highest revision among its batches: what an unchanged poll compares, in one query.
    latest_revision = models.BigIntegerField(default=0, editable=False)

    # How long batches took here, by size: see `batches.history`.
    usual_durations = models.JSONField(default=dict, editable=False)

    failures = models.PositiveIntegerField(default=0, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    last_error_at = models.DateTimeField(null=True, editable=False)
    last_error_request_id = models.CharField(max_length=200, blank=True, editable=False)
    refused_key = models.CharField(max_length=64, blank=True, editable=False)
    notice = models.TextField(blank=True, editable=False)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["from_environment"],
                condition=Q(from_environment=True),
                name="one_workspace_from_environment",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """The API key: the stored one, or the process's own; empty when there is none."""
        return settings.ANTHROPIC_API_KEY if self.from_environment else self.api_key

    @property
    def key_fingerprint(self) -> str:
        """Tells keys and addresses apart without holding either."""
        secret = "\0".join([self.key, self.base_url, self.auth, self.anthropic_workspace_id])
        return hashlib.sha256(secret.encode()).hexdigest()

    @property
    def is_key_refused(self) -> bool:
        """The API refused the key that is set now; another key starts polling again."""
        return bool(self.refused_key)

    def is_stale(self, now: datetime) -> bool:
        """Not heard from for three poll intervals, or never, or told to stop asking."""
        if self.last_synced_at is None or self.is_key_refused:
            return True
        patience = STALE_AFTER_POLLS * timedelta(seconds=self.interval_seconds)
        return now - self.last_synced_at > patience

    def back_off_seconds(self) -> float:
        """Doubles with each failure to five minutes, with jitter so that mirrors spread out."""
        doubled = float(settings.BATCHBOARD_POLL_SECONDS) * 2.0 ** min(self.failures, 10)
        full = min(doubled, LONGEST_BACK_OFF_SECONDS)
        return full * random.uniform(0.5, 1.0)
