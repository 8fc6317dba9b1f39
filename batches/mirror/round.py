"""One round over a workspace's list of batches: which pages it reads, and whether to trust them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Self

import structlog
from django.conf import settings
from django.db.models import Min

from batches import clock
from batches.client import (
    ApiError,
    ApiRefused,
    BatchClient,
    BatchNotFound,
    BatchPage,
    KeyRefused,
    NotTheApi,
)
from batches.mirror.store import OtherWorkspace, Stored, note_missing, refuse_other_workspace, store
from batches.models import Cancellation, Reading, Revision, Workspace
from batches.models.claim import back_off
from batches.turn import Turn

log = structlog.get_logger(__name__)

PAGE_SIZE = 1000
# Enough for two million batches. A longer list must be an error.
MOST_PAGES = 2000
# The most that one complete listing may store: twice the size of two million real batches.
MOST_BYTES = 3 * 1024**3
# A batch ends at most 24 hours after its creation; one more hour allows for clocks and delays.
STILL_CHANGING = timedelta(hours=25)
# Everything is listed once a day, as old batches are archived and deleted.
FULL_ROUND_EVERY = timedelta(hours=24)
# Seconds to wait after a failed part of the complete listing.
FIRST_LISTING_WAIT, LONGEST_LISTING_WAIT = 10.0, 300.0
# The first good round after so many failed ones makes waiting cancellations due at once.
OUTAGE_ATTEMPTS = 3
NOT_LISTED = "could not be listed"
# A list that lacks more than this share of the mirrored batches counts as another workspace's.
MOST_ABSENT = 0.5


class RoundStopped(Exception):
    """The round was asked to stop; it has stored whole pages only."""


class Place(NamedTuple):
    """A place in the list: the ID of the batch before it, and the creation of the oldest so far.

    Without a cursor it is the end of the list. An `edge` of None is not known.
    """

    cursor: str | None
    edge: datetime | None

    @classmethod
    def behind(cls, page: BatchPage, edge: datetime | None) -> Self:
        """The place after a page that began at `edge`. Raises NotTheApi."""
        if page.has_more and not page.last_id:
            raise NotTheApi("its list of batches doesn't say how it goes on.")
        return cls(page.last_id if page.has_more else None, _oldest(page) or edge)


@dataclass(slots=True)
class Round:
    """Reads the newest page, then all batches that can still change, then part of the full listing.

    The full listing runs once a day and goes on over several rounds. An error behind the newest
    page becomes a notice and doesn't fail the round.
    """

    workspace: Workspace
    client: BatchClient
    turn: Turn
    started_at: datetime = field(default_factory=clock.now)
    began: float = field(default_factory=time.monotonic)
    stored: Stored = field(default_factory=Stored)
    pages: int = 0
    # How many mirrored batches the pages so far should have held, and how many they lacked.
    expected: int = 0
    absent: int = 0
    # Seconds to wait before the next call, as the last answer requested.
    pause: float = 0.0
    unreadable: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    # Whether the full listing is going on, and whether this round left it unfinished.
    is_complete: bool = False
    is_unfinished: bool = False
    # Batches from before this moment can no longer change.
    horizon: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.horizon = self._horizon()

    def run(self) -> None:
        """Raises ApiError, OtherWorkspace, ClaimLost or RoundStopped; keeps what was read."""
        newest = self._page(None, None)
        # Now the key is known to be good, and to belong to this workspace.
        self._save_newest_read()
        place = Place.behind(newest, None)
        if self.workspace.backfilled_at or self.workspace.listing_after_id:
            try:
                place = self._list_recent(place)
            except ApiError as error:
                self._note_not_listed(place.edge, error)
        self._list_all(place)

    def _save_newest_read(self) -> None:
        workspace = self.workspace
        columns: dict[str, object] = {"last_synced_at": self.started_at}
        if workspace.hold or workspace.attempts >= OUTAGE_ATTEMPTS:
            _retry_now(workspace)
            columns["hold"] = ""
        workspace.keep(**columns)

    def _list_recent(self, place: Place) -> Place:
        """Read pages until one is older than the horizon; the place reached."""
        if place.edge is None or place.edge >= self.horizon:
            for _, reached in self._behind(place):
                place = reached
                if place.edge and place.edge < self.horizon:
                    break
        self.workspace.keep(covered_until=self.started_at)
        return place

    def _horizon(self) -> datetime:
        moments = [
            self.started_at - STILL_CHANGING,
            # After a pause of Batchboard's, there may be batches that no round has listed.
            (self.workspace.covered_until or self.started_at) - timedelta(minutes=5),
        ]
        oldest = self.workspace.batches.active().aggregate(oldest=Min("created_at"))["oldest"]
        return min([*moments, oldest] if oldest else moments)

    def _list_all(self, place: Place) -> None:
        """Continue the full listing, if it is due, for about one poll interval.

        It begins at `place`, as everything newer has just been listed.
        """
        workspace = self.workspace
        if workspace.listing_began_at is None:
            if not self._is_listing_due():
                return
            workspace.keep(
                listing_began_at=self.started_at,
                listing_after_id="",
                listing_reached_at=None,
                listing_bytes=0,
            )
        if self._is_listing_put_off():
            # The notice about the failure stays until the listing goes on.
            self.notices += [line for line in workspace.notice.split("\n") if NOT_LISTED in line]
            return
        try:
            self._go_on(place)
        except ApiError as error:
            self._put_listing_off(error)

    def _is_listing_due(self) -> bool:
        last = self.workspace.last_full_round_at
        if self.workspace.backfilled_at is None or last is None:
            return True
        return self.started_at - last >= FULL_ROUND_EVERY or clock.is_future(last, self.started_at)

    def _is_listing_put_off(self) -> bool:
        at = self.workspace.listing_next_at
        longest = timedelta(seconds=LONGEST_LISTING_WAIT)
        return bool(at and self.started_at < at <= self.started_at + longest)

    def _go_on(self, place: Place) -> None:
        """Read pages of the full listing, saving the place after each. Raises ApiError."""
        workspace = self.workspace
        self.is_complete = True
        if place.cursor and workspace.listing_after_id:
            last = workspace.batches.filter(api_id=workspace.listing_after_id)
            edge = last.values_list("created_at", flat=True).first()
            place = Place(workspace.listing_after_id, edge)
        for page, reached in self._behind(place):
            workspace.keep(
                listing_after_id=reached.cursor or "",
                listing_reached_at=reached.edge,
                listing_bytes=workspace.listing_bytes + page.size,
                listing_failures=0,
                listing_next_at=None,
            )
            if workspace.listing_bytes > MOST_BYTES:
                raise NotTheApi(f"its list of batches is larger than {MOST_BYTES:,} bytes.")
            is_long = time.monotonic() - self.began > settings.BATCHBOARD_POLL_SECONDS
            if reached.cursor and is_long:
                self.is_unfinished = True
                return
        workspace.keep(
            backfilled_at=workspace.backfilled_at or clock.now(),
            last_full_round_at=workspace.listing_began_at,
            listing_began_at=None,
            listing_after_id="",
            listing_failures=0,
            listing_next_at=None,
        )

    def _put_listing_off(self, error: ApiError) -> None:
        workspace = self.workspace
        failures = workspace.listing_failures + 1
        wait = back_off(failures, first=FIRST_LISTING_WAIT, longest=LONGEST_LISTING_WAIT)
        columns: dict[str, object] = {
            "listing_failures": failures,
            "listing_next_at": clock.now() + timedelta(seconds=wait),
        }
        if isinstance(error, BatchNotFound | ApiRefused) and not isinstance(error, KeyRefused):
            # The batch that the listing should continue after may be deleted: start again.
            columns["listing_after_id"] = ""
        workspace.keep(**columns)
        self._note_not_listed(workspace.listing_reached_at, error)
        log.warning("list not complete", workspace=workspace.slug, error=str(error))

    def _note_not_listed(self, reached: datetime | None, error: ApiError) -> None:
        since = f" created before {reached:%Y-%m-%d %H:%M} UTC" if reached else ""
        line = f"Batches{since} {NOT_LISTED}: {error}"
        self.notices = [*self.notices, line][:1]

    def _behind(self, place: Place) -> Iterator[tuple[BatchPage, Place]]:
        """Read and store the pages from a place to the end of the list, yielding each with its end.

        Raises NotTheApi for a list that doesn't go from newer to older.
        """
        seen: set[str] = set()
        while place.cursor:
            if place.cursor in seen or self.pages >= MOST_PAGES:
                raise NotTheApi("its list of batches repeats itself or never ends.")
            seen.add(place.cursor)
            self._pause()
            page = self._page(place.cursor, place.edge)
            oldest = _oldest(page)
            if place.edge and oldest and oldest > place.edge:
                raise NotTheApi("its list of batches doesn't go from newer to older.")
            place = Place.behind(page, place.edge)
            yield page, place

    def _page(self, cursor: str | None, edge: datetime | None) -> BatchPage:
        """Read and store one page: the newest, or the one after the cursor."""
        self.turn.let_go()
        asked_at = clock.now()
        page = self.client.list_page(limit=PAGE_SIZE, after_id=cursor)
        self.pages += 1
        self.pause = page.pause_seconds
        if not self._accepts_any_list:
            refuse_other_workspace(self.workspace, page.workspace_id)
            if cursor is None and not page.workspace_id:
                self._check_overlap(page)
        absent = self._absent(page, edge) if edge or cursor is None else []
        self._check_claim(page)
        self.stored += store(
            self.workspace, page.batches, now=clock.now(), asked_at=asked_at, is_steady=True
        )
        if self.workspace.backfilled_at:
            note_missing(self.workspace, absent, now=clock.now())
        for odd in page.unreadable:
            self.unreadable.append(f"{odd.id or 'a batch without an ID'}: {odd.problem}")
        return page

    def _check_claim(self, page: BatchPage) -> None:
        """Save the Anthropic workspace that the answer names.

        Raises RoundStopped if the workspace was disabled, deleted or claimed by another worker.
        """
        workspace = self.workspace
        named = page.workspace_id or workspace.api_workspace_id
        is_new = named != workspace.api_workspace_id
        held = Workspace.objects.filter(pk=workspace.pk, claim=workspace.claim, is_enabled=True)
        columns = {"api_workspace_id": named} if is_new else {}
        if not held.update(stamped_at=clock.now(), **columns):
            raise RoundStopped
        workspace.api_workspace_id = named

    def _check_overlap(self, page: BatchPage) -> None:
        """Raise OtherWorkspace if the newest page holds no mirrored batch and the API knows none.

        Only the newest mirrored batch is looked up.
        """
        mirrored = self.workspace.batches.filter(deleted_upstream_at=None)
        if mirrored.filter(api_id__in=[batch.id for batch in page.batches]).exists():
            return
        newest = mirrored.order_by("-created_at", "-id").values_list("api_id", flat=True).first()
        if newest is None or not page.has_more:
            # If this page is the whole list, `_absent` compares it.
            return
        try:
            self.client.retrieve(newest)
        except BatchNotFound:
            raise OtherWorkspace(
                f"The list for the key of {self.workspace.name} has no batch that was listed "
                f"before, and Anthropic doesn't know {newest}: the key may belong to another "
                "workspace."
            ) from None

    def _absent(self, page: BatchPage, edge: datetime | None) -> list[int]:
        """Primary keys of the mirrored batches that this page should have held and did not.

        The page covers the time from its oldest batch to the oldest one of the page before, both
        excluded, as batches created at these moments may be on either page. Raises OtherWorkspace
        if most are absent and the answer doesn't name its workspace.
        """
        # A batch that can't be read isn't missing. Nor are others on a page that has one.
        if page.unreadable or (page.has_more and not page.batches):
            return []
        rows = self.workspace.batches.filter(
            deleted_upstream_at=None, first_seen_at__lt=self.started_at
        )
        if edge:
            rows = rows.filter(created_at__lt=edge)
        if page.has_more:
            rows = rows.filter(created_at__gt=min(batch.created_at for batch in page.batches))
        listed = {batch.id for batch in page.batches}
        expected = list(rows.values_list("pk", "api_id"))
        absent = [pk for pk, api_id in expected if api_id not in listed]
        self.expected += len(expected)
        self.absent += len(absent)
        if len(expected) > PAGE_SIZE and not self.is_complete:
            # More than a page can hold, so the list broke off. Later rounds don't list batches
            # from before the horizon, and so would not find that they exist.
            recent = set(rows.filter(created_at__gte=self.horizon).values_list("pk", flat=True))
            absent = [pk for pk in absent if pk in recent]
        is_named = bool(page.workspace_id) or self._accepts_any_list
        if not is_named and self.absent > MOST_ABSENT * self.expected:
            raise OtherWorkspace(
                f"The list for the key of {self.workspace.name} lacks {self.absent:,} of "
                f"{self.expected:,} batches that were listed before: the key may belong to another "
                "Anthropic workspace."
            )
        return absent

    @property
    def _accepts_any_list(self) -> bool:
        """Whether an admin accepted the list as it is (`accept_list`)."""
        until = self.workspace.list_accepted_until
        return bool(until and self.started_at < until)

    def _pause(self) -> None:
        """Wait as the last answer requested. Raises RoundStopped."""
        if self.pause and not self.turn.is_stopping():
            self.turn.wait(self.pause)
        if self.turn.is_stopping():
            raise RoundStopped


def _oldest(page: BatchPage) -> datetime | None:
    return min((batch.created_at for batch in page.batches), default=None)


def _retry_now(workspace: Workspace) -> None:
    """Make the work that waited while the API could not be called due at once."""
    waiting = {"batch__workspace": workspace, "next_attempt_at__isnull": False}
    # Locks are taken in one order: see Revision.
    with Revision.writing():
        Cancellation.objects.open().filter(**waiting).update(next_attempt_at=None)
        if workspace.hold:
            unread = Reading.objects.filter(batch__results_state="pending", **waiting)
            unread.update(next_attempt_at=None)
