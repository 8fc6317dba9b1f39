"""The counts of the tabs, and the figures of the summary."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from threading import Lock

from django.db.models import Count, Q, Sum

from batches.models import BatchQuerySet, Workspace
from dashboard.list.listing import FILTERS, TABS, Listing

MEMOS = 256


@dataclass(frozen=True, slots=True)
class CountedBatches:
    """The number of batches in one combination of the states that tabs distinguish.

    `processing` counts their requests that are still processing.
    """

    is_active: bool
    processing_status: str
    outcome: str
    batches: int
    processing: int
    ended_today: int


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    title: str
    count: int
    is_current: bool

    @property
    def status(self) -> str:
        """The tab's value in the address; empty for all."""
        return "" if self.name == "all" else self.name


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
        Tab(name, status.title, _count(name, kinds), name == listing.status)
        for name, status in TABS.items()
    ]


def summary(workspaces: list[Workspace], now: datetime) -> Summary:
    kinds = _kinds(Listing(workspaces, {}), now)
    return Summary(
        active=_count("active", kinds),
        processing=sum(kind.processing for kind in kinds if kind.is_active),
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
    kinds = _counted(listing.filtered(), midnight)
    with _lock:
        _memo[key] = kinds
        while len(_memo) > MEMOS:
            _memo.popitem(last=False)
    return kinds


def forget() -> None:
    """Empty the memo: for measuring what it saves."""
    with _lock:
        _memo.clear()


def _counted(batches: BatchQuerySet, midnight: datetime) -> list[CountedBatches]:
    rows = (
        batches.order_by()
        .values_list("is_active", "processing_status", "outcome")
        .annotate(
            batches=Count("pk"),
            requests=Sum("processing"),
            ended_today=Count("pk", filter=Q(ended_at__gte=midnight)),
        )
    )
    return [CountedBatches(*row) for row in rows]


def _count(tab: str, kinds: list[CountedBatches]) -> int:
    return sum(kind.batches for kind in kinds if TABS[tab].holds(kind))
