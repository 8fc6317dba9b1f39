"""The counts of the tabs, and the figures of the summary."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from threading import Lock
from typing import Any

from django.db.models import Count, Q, Sum

from batches.models import Workspace
from dashboard.list.listing import FILTERS, STATUSES, TABS, Listing

MEMOS = 256


@dataclass(frozen=True, slots=True)
class CountedBatches:
    """The number of batches in one combination of the states that tabs distinguish.

    `requests_processing` counts their requests that are still processing.
    """

    is_active: bool
    processing_status: str
    outcome: str
    batches: int
    requests_processing: int = 0
    ended_today: int = 0


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    title: str
    count: int
    is_current: bool
    # The address's query string.
    query: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures above the list, of all the person's workspaces."""

    active: int
    processing: int
    ended_today: int


_memo: OrderedDict[Hashable, list[CountedBatches]] = OrderedDict()
_lock = Lock()


def tabs(listing: Listing, now: datetime) -> list[Tab]:
    """Every tab with its count under the other filters."""
    kinds = _kinds(listing, now)
    return [
        Tab(
            name,
            status.title,
            _count(name, kinds),
            name == listing.status,
            listing.query(status=None if name == "all" else name),
        )
        for name, status in TABS.items()
    ]


def total(listing: Listing, now: datetime) -> int:
    """How many batches match the filters and the tab."""
    return _count(listing.status, _kinds(listing, now))


def summary(workspaces: list[Workspace], now: datetime) -> Summary:
    kinds = _kinds(Listing(workspaces, {}), now)
    return Summary(
        active=_count("active", kinds),
        processing=sum(kind.requests_processing for kind in kinds if kind.is_active),
        ended_today=sum(kind.ended_today for kind in kinds),
    )


def _kinds(listing: Listing, now: datetime) -> list[CountedBatches]:
    """Counted in one pass over an index, and kept in memory until a batch changes.

    The key includes each workspace's latest revision and the day, so that a stale value is never
    used.
    """
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), tzinfo=UTC)
    key = (
        tuple((w.pk, w.latest_revision) for w in listing.workspaces),
        tuple(sorted((k, str(v)) for k, v in listing.chosen.items() if v and k in FILTERS)),
        midnight,
    )
    with _lock:
        if key in _memo:
            _memo.move_to_end(key)
            return _memo[key]
    kinds = _counted(listing, midnight)
    with _lock:
        _memo[key] = kinds
        while len(_memo) > MEMOS:
            _memo.popitem(last=False)
    return kinds


def forget() -> None:
    """Empty the memo: for measuring what it saves."""
    with _lock:
        _memo.clear()


def _counted(listing: Listing, midnight: datetime) -> list[CountedBatches]:
    figures: dict[str, Any] = {"batches": Count("pk")}
    if not listing.is_filtered:
        # Only the summary shows these, and it has no filters.
        figures["requests_processing"] = Sum("processing")
        figures["ended_today"] = Count("pk", filter=Q(ended_at__gte=midnight))
    kind = ("is_active", "processing_status", "outcome")
    # By workspace too, so that the index has the groups one after another.
    rows = listing.counted().order_by().values("workspace", *kind).annotate(**figures)
    return [CountedBatches(**{name: row[name] for name in (*kind, *figures)}) for row in rows]


def _count(tab: str, kinds: list[CountedBatches]) -> int:
    return sum(kind.batches for kind in kinds if STATUSES[tab].holds(kind))
