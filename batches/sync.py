"""API → rows: one round of one workspace."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Min
from django.utils import timezone

from batches import connect
from batches.client import (
    ApiError,
    ApiRefused,
    BatchClient,
    BatchNotFound,
    BatchPage,
    KeyRefused,
    NotTheApi,
    RemoteBatch,
    TryLater,
)
from batches.history import usual_durations
from batches.models import Batch, Workspace
from batches.models.workspace import LEASE
from batches.store import Stored, note_missing, store

log = structlog.get_logger(__name__)

PAGE_SIZE = 1000
# Five million batches: a list that goes on longer isn't one.
MOST_PAGES = 5000
# A batch ends, at the latest, 24 h after its creation (api.md); an hour for clocks and delays.
STILL_CHANGING = timedelta(hours=25)
# Archiving and deletion happen to old batches: once a day a round goes all the way back.
FULL_ROUND_EVERY = timedelta(hours=24)
# Where nothing is active only new batches can appear.
IDLE_POLLS = 3
FETCH_ONE_SECONDS = 5.0


class LeaseLost(Exception):
    """Another mirror has taken over this workspace; what was stored so far stands."""


class Stopped(Exception):
    """The process was told to end; the round is left after a whole page."""


@dataclass(slots=True)
class Round:
    """One pass over a workspace's list, from its newest batch back to `horizon`."""

    workspace: Workspace
    client: BatchClient
    lease: str
    is_stopping: Callable[[], bool]
    wait: Callable[[float], object]
    started_at: datetime = field(default_factory=timezone.now)
    stored: Stored = field(default_factory=Stored)
    pages: int = 0
    unreadable: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Raises ApiError, LeaseLost or Stopped; every page before that is kept."""
        if self.workspace.backfilled_at is None:
            is_resumed = bool(self.workspace.backfill_after_id)
            self._backfill()
            if not is_resumed:
                return
        is_full = self._is_full_round_due()
        self._list_back(None, horizon=None if is_full else self._horizon())
        self._keep(covered_until=self.started_at)
        if is_full:
            self._keep(last_full_round_at=self.started_at)

    def _backfill(self) -> None:
        """The first round: from the newest, or from where a crash left it, to the very end."""
        if not self.workspace.backfill_after_id:
            self._keep(covered_until=self.started_at, last_full_round_at=self.started_at)
        try:
            self._list_back(self.workspace.backfill_after_id or None, horizon=None)
        except (BatchNotFound, ApiRefused) as error:
            # The batch to go on from may have been deleted meanwhile: then start anew.
            if not isinstance(error, KeyRefused):
                self._keep(backfill_after_id="")
            raise
        self._keep(backfilled_at=timezone.now(), backfill_after_id="")

    def _is_full_round_due(self) -> bool:
        last = self.workspace.last_full_round_at
        return last is None or self.started_at - last >= FULL_ROUND_EVERY

    def _horizon(self) -> datetime:
        """How far back something may have changed, or appeared, since the last whole round."""
        moments = [
            self.started_at - STILL_CHANGING,
            # After a long pause of ours, batches may have come that no round has listed.
            (self.workspace.covered_until or self.started_at) - timedelta(minutes=5),
        ]
        oldest = self.workspace.batches.active().aggregate(oldest=Min("created_at"))["oldest"]
        return min([*moments, oldest] if oldest else moments)

    def _list_back(self, cursor: str | None, *, horizon: datetime | None) -> None:
        """List and store pages until one reaches past the horizon, or to the end."""
        edge: datetime | None = None
        for _ in range(MOST_PAGES):
            page = self.client.list_page(limit=PAGE_SIZE, after_id=cursor)
            self._store(page)
            if self.workspace.backfilled_at:
                self._note_missing(page, before=edge)
            oldest = min((batch.created_at for batch in page.batches), default=None)
            if not page.has_more or (horizon and oldest and oldest < horizon):
                return
            if not page.last_id or page.last_id == cursor or (edge and oldest and oldest > edge):
                raise NotTheApi(
                    "The list of batches does not go on from newer to older: it repeats itself."
                )
            cursor, edge = page.last_id, oldest or edge
            self._pause(page, cursor)
        raise NotTheApi(f"The list of batches did not end within {MOST_PAGES:,} pages.")

    def _pause(self, page: BatchPage, cursor: str) -> None:
        if self.workspace.backfilled_at is None:
            self._keep(backfill_after_id=cursor)
        if self.is_stopping():
            raise Stopped
        if page.pause_seconds:
            pause = timedelta(seconds=page.pause_seconds)
            self._keep(leased_until=timezone.now() + LEASE + pause)
            self.wait(page.pause_seconds)

    def _store(self, page: BatchPage) -> None:
        told = page.workspace_id
        is_new = told and told != self.workspace.api_workspace_id
        beside = {"api_workspace_id": told} if is_new else {}
        self._keep(leased_until=timezone.now() + LEASE, **beside)
        self.pages += 1
        self.stored += store(self.workspace, page.batches, now=timezone.now(), is_steady=True)
        for odd in page.unreadable:
            self.unreadable.append(f"{odd.id or 'a batch without an id'}: {odd.problem}")

    def _note_missing(self, page: BatchPage, *, before: datetime | None) -> None:
        """Rows that this page's stretch of the list should have held, and did not.

        The stretch reaches from the page's oldest batch up to the oldest of the page before.
        Batches of the very moments at its edges may stand on the neighbouring page.
        """
        # A batch that can't be read is not missing, and neither is what hides behind it.
        if page.unreadable or (page.has_more and not page.batches):
            return
        rows = self.workspace.batches.filter(
            deleted_upstream_at=None, first_seen_at__lt=self.started_at
        )
        if before:
            rows = rows.filter(created_at__lt=before)
        if page.has_more:
            rows = rows.filter(created_at__gt=min(batch.created_at for batch in page.batches))
        listed = {batch.id for batch in page.batches}
        missing = [pk for pk, api_id in rows.values_list("pk", "api_id") if api_id not in listed]
        note_missing(self.workspace, missing, now=timezone.now())

    def _keep(self, **columns: object) -> None:
        """Write to the workspace as long as the lease is ours. Raises LeaseLost."""
        mine = Workspace.objects.filter(pk=self.workspace.pk, lease=self.lease)
        if not mine.update(**columns):
            raise LeaseLost
        for name, value in columns.items():
            setattr(self.workspace, name, value)


def sync_workspace(
    workspace: Workspace,
    lease: str,
    *,
    is_stopping: Callable[[], bool] = lambda: False,
    wait: Callable[[float], object] = lambda _: None,
) -> bool:
    """One round under a lease that the caller has claimed, which it gives back at the end.

    True when the list was read to where it had to be. What went wrong is kept on the
    workspace, for its page to show, and the next round is put off.
    """
    if workspace.refused_key and workspace.refused_key == workspace.key_fingerprint:
        _release(workspace, lease, seconds=workspace.interval_seconds)
        return False
    try:
        current = Round(workspace, connect.client_for(workspace), lease, is_stopping, wait)
        current.run()
    except (ApiError, connect.NoKey) as error:
        _failed(workspace, lease, error)
        return False
    except Stopped:
        _release(workspace, lease, seconds=0)
        return False
    except LeaseLost:
        log.warning("lease lost", workspace=workspace.slug)
        return False
    _succeeded(current)
    return True


def _succeeded(done: Round) -> None:
    workspace = done.workspace
    is_busy = workspace.batches.active().exists()
    seconds = settings.BATCHBOARD_POLL_SECONDS * (1 if is_busy else IDLE_POLLS)
    _release(
        workspace,
        done.lease,
        seconds=seconds,
        interval_seconds=seconds,
        last_synced_at=done.started_at,
        failures=0,
        last_error="",
        last_error_at=None,
        last_error_request_id="",
        refused_key="",
        notice=_notice(done),
        **({"usual_durations": usual_durations(workspace)} if done.stored.has_news else {}),
    )
    if done.stored.has_news:
        log.info(
            "round",
            workspace=workspace.slug,
            created=done.stored.created,
            changed=done.stored.changed,
            pages=done.pages,
        )


def _notice(done: Round) -> str:
    """What a person should know of a round that went well all the same; one line each."""
    lines = []
    if done.unreadable:
        lines.append(
            f"{len(done.unreadable)} batches in the API's list cannot be read and are not shown "
            f"as they are now, such as {done.unreadable[0]}."
        )
    if done.stored.foreign:
        lines.append(
            f"{len(done.stored.foreign)} batches are already mirrored by another workspace: "
            "both keys seem to see the same one."
        )
    return "\n".join(lines)[:2000]


def _failed(workspace: Workspace, lease: str, error: Exception) -> None:
    workspace.failures += 1
    seconds = workspace.back_off_seconds()
    if isinstance(error, TryLater) and error.retry_after:
        seconds = max(seconds, min(error.retry_after, 3600.0))
    _release(
        workspace,
        lease,
        seconds=seconds,
        failures=workspace.failures,
        last_error=str(error)[:2000],
        last_error_at=timezone.now(),
        last_error_request_id=getattr(error, "request_id", "")[:200],
        refused_key=workspace.key_fingerprint if isinstance(error, KeyRefused) else "",
    )
    log.warning("round failed", workspace=workspace.slug, error=str(error))


def _release(workspace: Workspace, lease: str, *, seconds: float, **columns: object) -> None:
    """Give the lease back; without it nothing is written, as another mirror now speaks."""
    Workspace.objects.filter(pk=workspace.pk, lease=lease).update(
        lease="",
        leased_until=None,
        next_sync_at=timezone.now() + timedelta(seconds=seconds),
        **columns,
    )


def fetch_one(workspace: Workspace, api_id: str) -> Batch | None:
    """Mirror one batch that is not here yet; None when the API has none of this id.

    Takes at most FETCH_ONE_SECONDS. Raises ApiError or connect.NoKey.
    """
    client = connect.client_for(workspace)
    try:
        remote: RemoteBatch = client.retrieve(api_id, within=FETCH_ONE_SECONDS)
    except BatchNotFound:
        return None
    store(workspace, [remote], now=timezone.now())
    return Batch.objects.filter(workspace=workspace, api_id=remote.id).first()
