import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q, Subquery

from batches.clock import is_future
from batches.fields import EncryptedTextField, is_undecryptable
from batches.models.claim import Claimable, ClaimableQuerySet
from batches.models.worker import WorkerProcess, is_running

# After this many poll intervals without a round, pages say that they may be out of date.
STALE_AFTER_POLLS = 3
# Of a shorter secret no part is shown, as the rest could be guessed.
SHORTEST_HINTED = 12
# How a key is sent.
AUTHS = [("x-api-key", "x-api-key"), ("bearer", "Authorization: Bearer")]
# A refused key is tried again, as a gateway, an outage or an IP allowlist can be the cause.
REFUSED_SECONDS = 300.0


class WorkspaceQuerySet(ClaimableQuerySet["Workspace"]):
    def for_pages(self) -> Self:
        """Without secrets, which pages don't need; with the time when a worker was last seen."""
        return self.defer("api_key", "extra_headers").annotate(worker_seen_at=worker_seen_at())

    def for_admins(self) -> Self:
        """As `for_pages`; `has_key` and `has_headers` say whether secrets are stored."""
        return self.for_pages().annotate(has_key=~Q(api_key=""), has_headers=~Q(extra_headers=""))

    def usable_here(self) -> Self:
        """Enabled workspaces whose key this process may have.

        A process without the environment's key leaves that workspace to processes that have it.
        """
        enabled = self.filter(is_enabled=True)
        return enabled if environment_key() else enabled.filter(from_environment=False)

    def callable(self) -> Self:
        """Workspaces for which the API may be called, also by others than rounds."""
        return self.usable_here().filter(hold="")


def worker_seen_at() -> Subquery:
    """When a worker that syncs was last seen, for a query's column."""
    seen = WorkerProcess.objects.doing("sync").filter(ended_at=None).order_by("-seen_at")
    return Subquery(seen.values("seen_at")[:1])


def environment_key() -> str:
    """The environment's API key or token, in the official SDK's order."""
    return str(settings.ANTHROPIC_API_KEY or settings.ANTHROPIC_AUTH_TOKEN)


class Workspace(Claimable):
    """One API key and the batches that it lists.

    The work that a worker claims with the row is a round.
    """

    FIRST_WAIT = 2.0

    class Hold(models.TextChoices):
        """Why only rounds may call the API, which find out when the reason has passed."""

        REFUSED = "refused", "Anthropic refuses the key"
        FOREIGN = "foreign", "the key belongs to another Anthropic workspace"

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    # Checked by `batches.connect`, which knows more hosts than Django's validator.
    base_url = models.CharField(max_length=300, default="https://api.anthropic.com")
    api_key = EncryptedTextField(blank=True, editable=False)
    # The last characters of the stored key, to tell keys apart, and when it was stored. Empty for
    # a short key, and for keys from before these columns existed.
    key_hint = models.CharField(max_length=4, blank=True, editable=False)
    key_set_at = models.DateTimeField(null=True, editable=False)
    auth = models.CharField(
        max_length=10,
        choices=AUTHS,
        default="x-api-key",
    )
    # Further headers for a gateway, one `Name: value` a line; as secret as the key.
    extra_headers = EncryptedTextField(blank=True, editable=False)
    headers_set_at = models.DateTimeField(null=True, editable=False)
    # The wrkspc_… to act in, for a credential of several workspaces.
    anthropic_workspace_id = models.CharField(max_length=100, blank=True)
    # The Anthropic workspace of the mirrored batches, as the API's answers name it. An answer
    # that names another one is an error (`batches.mirror.store`).
    api_workspace_id = models.CharField(max_length=100, blank=True, editable=False)
    # Until this time any list is accepted, even one of another Anthropic workspace.
    list_accepted_until = models.DateTimeField(null=True, editable=False)
    hold = models.CharField(max_length=10, choices=Hold, blank=True, editable=False)
    # Another workspace, whose key belongs to the same Anthropic workspace, mirrored some of the
    # same batches first.
    has_twins = models.BooleanField(default=False, editable=False)
    from_environment = models.BooleanField(default=False, editable=False)
    is_enabled = models.BooleanField(default=True)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="workspaces"
    )

    # Seconds between rounds, as the last round chose them: fewer while a batch is active.
    interval_seconds = models.FloatField(default=10, editable=False)
    # The start of the last round that read the newest page.
    last_synced_at = models.DateTimeField(null=True, editable=False)
    # The start of the last round that listed all batches that could still change.
    covered_until = models.DateTimeField(null=True, editable=False)

    # The full listing, once at first and then daily, takes several rounds: where it continues, how
    # far back it has come, and when it may continue after a failure.
    listing_began_at = models.DateTimeField(null=True, editable=False)
    listing_after_id = models.CharField(max_length=200, blank=True, editable=False)
    listing_reached_at = models.DateTimeField(null=True, editable=False)
    listing_bytes = models.BigIntegerField(default=0, editable=False)
    listing_failures = models.PositiveIntegerField(default=0, editable=False)
    listing_next_at = models.DateTimeField(null=True, editable=False)
    backfilled_at = models.DateTimeField(null=True, editable=False)
    last_full_round_at = models.DateTimeField(null=True, editable=False)

    # The highest revision of its batches. Polls compare it to find that nothing changed.
    latest_revision = models.BigIntegerField(default=0, editable=False)

    # How long batches took, by size: see `batches.mirror.history`.
    usual_durations = models.JSONField(default=dict, editable=False)

    notice = models.TextField(blank=True, editable=False)

    # Set by `for_pages`.
    worker_seen_at: datetime | None
    # Set by `for_admins`.
    has_key: bool
    has_headers: bool

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
        """The API key, stored or from the environment; empty if there is none."""
        return environment_key() if self.from_environment else str(self.api_key)

    def set_key(self, key: str, now: datetime) -> None:
        """Set the key, and what pages may show of it, without saving."""
        self.api_key, self.key_set_at = key, now
        self.key_hint = key[-4:] if len(key) >= SHORTEST_HINTED else ""

    @property
    def sent_as(self) -> str:
        """How the key is sent: "x-api-key" or "bearer"."""
        if self.from_environment:
            return "x-api-key" if settings.ANTHROPIC_API_KEY else "bearer"
        return self.auth

    @property
    def acts_in(self) -> str:
        """The Anthropic workspace to name in calls; empty for a key of a single workspace."""
        if self.from_environment and settings.ANTHROPIC_WORKSPACE_ID:
            return str(settings.ANTHROPIC_WORKSPACE_ID)
        return self.anthropic_workspace_id

    @property
    def environment_headers(self) -> Mapping[str, str]:
        """ANTHROPIC_CUSTOM_HEADERS, for the environment's workspace only."""
        return settings.ANTHROPIC_CUSTOM_HEADERS if self.from_environment else {}

    @property
    def has_undecryptable_secret(self) -> bool:
        """Whether a stored secret was encrypted with a key that this process doesn't have."""
        return any(map(is_undecryptable, (self.api_key, self.extra_headers)))

    @property
    def fingerprint(self) -> str:
        """A hash of key, headers and address, which changes with each of them."""
        secret = "\0".join(
            [
                *(self.key, self.base_url, self.sent_as, self.acts_in, str(self.extra_headers)),
                repr(sorted(self.environment_headers.items())),
            ]
        )
        return hashlib.sha256(secret.encode()).hexdigest()

    def is_worker_running(self, now: datetime) -> bool:
        """Whether a worker that syncs was seen recently. Needs a row from `for_pages`."""
        return is_running(self.worker_seen_at, now)

    def is_stale(self, now: datetime) -> bool:
        """Whether what is shown may be out of date: no good round for STALE_AFTER_POLLS intervals.

        A time in the future means nothing, as the clock that wrote it was wrong.
        """
        if self.last_synced_at is None or self.hold or is_future(self.last_synced_at, now):
            return True
        patience = STALE_AFTER_POLLS * timedelta(seconds=self.interval_seconds)
        return now - self.last_synced_at > patience
