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

# How many poll intervals may pass before the page stops calling itself fresh (ux.md 5).
STALE_AFTER_POLLS = 3
# A shorter secret is not shown in part: what is left could be guessed.
SHORTEST_HINTED = 12
# How a key is sent.
AUTHS = [("x-api-key", "x-api-key"), ("bearer", "Authorization: Bearer")]
# A refused key may be good again: the cause can be a gateway, an outage or an address list.
REFUSED_SECONDS = 300.0


class WorkspaceQuerySet(ClaimableQuerySet["Workspace"]):
    def for_pages(self) -> Self:
        """Without the key, which pages have no use for; with the time a worker was last seen."""
        return self.defer("api_key", "extra_headers").annotate(worker_seen_at=worker_seen_at())

    def for_admins(self) -> Self:
        """As `for_pages`, with whether secrets are stored."""
        return self.for_pages().annotate(has_key=~Q(api_key=""), has_headers=~Q(extra_headers=""))

    def usable_here(self) -> Self:
        """Enabled ones whose key this process can have.

        A process without the environment's key must leave that workspace to those that have it.
        """
        enabled = self.filter(is_enabled=True)
        return enabled if environment_key() else enabled.filter(from_environment=False)

    def callable(self) -> Self:
        """Those that anything but a round may call the API for."""
        return self.usable_here().filter(hold="")


def worker_seen_at() -> Subquery:
    """When a worker that syncs was last seen, as a column of a query."""
    seen = WorkerProcess.objects.doing("sync").filter(ended_at=None).order_by("-seen_at")
    return Subquery(seen.values("seen_at")[:1])


def environment_key() -> str:
    """The environment's credential, which the official SDK reads in the same order."""
    return str(settings.ANTHROPIC_API_KEY or settings.ANTHROPIC_AUTH_TOKEN)


class Workspace(Claimable):
    """One API key's view of the API: the batches that this key lists.

    As `Claimable` it stands for its sync rounds.
    """

    FIRST_WAIT = 2.0

    class Hold(models.TextChoices):
        """Why nothing is asked but by a round, which looks whether that is over."""

        REFUSED = "refused", "Anthropic refuses the key"
        FOREIGN = "foreign", "the key belongs to another Anthropic workspace"

    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    # Checked by `batches.connect`, which knows more hosts than Django's validator.
    base_url = models.CharField(max_length=300, default="https://api.anthropic.com")
    api_key = EncryptedTextField(blank=True, editable=False)
    # For people to tell keys apart: the last characters of the stored one, and when it was stored.
    # Empty for a short key, and for one stored before there were these columns.
    key_hint = models.CharField(max_length=4, blank=True, editable=False)
    key_set_at = models.DateTimeField(null=True, editable=False)
    auth = models.CharField(
        max_length=10,
        choices=AUTHS,
        default="x-api-key",
    )
    # More headers that a gateway asks for, one `Name: value` a line; as secret as the key.
    extra_headers = EncryptedTextField(blank=True, editable=False)
    headers_set_at = models.DateTimeField(null=True, editable=False)
    # For a credential that spans workspaces: the wrkspc_… it should act in.
    anthropic_workspace_id = models.CharField(max_length=100, blank=True)
    # The Anthropic workspace that the mirrored batches belong to, as answers have named it. An
    # answer that names another one is an error (`batches.mirror.sync`).
    api_workspace_id = models.CharField(max_length=100, blank=True, editable=False)
    # Until then a list that lacks most of our batches, or is of another workspace, is accepted.
    list_accepted_until = models.DateTimeField(null=True, editable=False)
    hold = models.CharField(max_length=10, choices=Hold, blank=True, editable=False)
    # Some of its batches are mirrored by an older workspace, too, with a key of the same
    # Anthropic workspace.
    has_twins = models.BooleanField(default=False, editable=False)
    from_environment = models.BooleanField(default=False, editable=False)
    is_enabled = models.BooleanField(default=True)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="workspaces"
    )

    # The pace that the last round chose: quick while something is active.
    interval_seconds = models.FloatField(default=10, editable=False)
    # When a round last began that read the newest page.
    last_synced_at = models.DateTimeField(null=True, editable=False)
    # Until here the list has been read back to whatever could still change.
    covered_until = models.DateTimeField(null=True, editable=False)

    # The complete listing, the first and then one a day, goes on beside the rounds: where it
    # resumes, how far back it has come, and when it may go on after a failure.
    listing_began_at = models.DateTimeField(null=True, editable=False)
    listing_after_id = models.CharField(max_length=200, blank=True, editable=False)
    listing_reached_at = models.DateTimeField(null=True, editable=False)
    listing_bytes = models.BigIntegerField(default=0, editable=False)
    listing_failures = models.PositiveIntegerField(default=0, editable=False)
    listing_next_at = models.DateTimeField(null=True, editable=False)
    backfilled_at = models.DateTimeField(null=True, editable=False)
    last_full_round_at = models.DateTimeField(null=True, editable=False)

    # The highest revision among its batches: what an unchanged poll compares, in one query.
    latest_revision = models.BigIntegerField(default=0, editable=False)

    # How long batches took here, by size: see `batches.mirror.history`.
    usual_durations = models.JSONField(default=dict, editable=False)

    notice = models.TextField(blank=True, editable=False)

    # A column of the queries of `for_pages` alone.
    worker_seen_at: datetime | None
    # Columns of the queries of `for_admins` alone.
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
        """The API key: the stored one, or the process's own; empty when there is none."""
        return environment_key() if self.from_environment else str(self.api_key)

    def set_key(self, key: str, now: datetime) -> None:
        """Take this key, unsaved, with what pages may show of it."""
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
        """The Anthropic workspace to name in calls; empty for a key of one workspace."""
        if self.from_environment and settings.ANTHROPIC_WORKSPACE_ID:
            return str(settings.ANTHROPIC_WORKSPACE_ID)
        return self.anthropic_workspace_id

    @property
    def environment_headers(self) -> Mapping[str, str]:
        """ANTHROPIC_CUSTOM_HEADERS, for the environment's workspace alone."""
        return settings.ANTHROPIC_CUSTOM_HEADERS if self.from_environment else {}

    @property
    def has_undecryptable_secret(self) -> bool:
        """A stored secret was encrypted with a key that this process does not have."""
        return any(map(is_undecryptable, (self.api_key, self.extra_headers)))

    @property
    def fingerprint(self) -> str:
        """Tells keys, headers and addresses apart without holding any."""
        secret = "\0".join(
            [
                *(self.key, self.base_url, self.sent_as, self.acts_in, str(self.extra_headers)),
                repr(sorted(self.environment_headers.items())),
            ]
        )
        return hashlib.sha256(secret.encode()).hexdigest()

    def is_worker_running(self, now: datetime) -> bool:
        """Whether a worker that syncs was seen just now. Needs a row of `for_pages`."""
        return is_running(self.worker_seen_at, now)

    def is_stale(self, now: datetime) -> bool:
        """What is shown may be out of date: no whole round for three intervals, or ever.

        A time in the future says nothing: the clock that wrote it was wrong.
        """
        if self.last_synced_at is None or self.hold or is_future(self.last_synced_at, now):
            return True
        patience = STALE_AFTER_POLLS * timedelta(seconds=self.interval_seconds)
        return now - self.last_synced_at > patience
