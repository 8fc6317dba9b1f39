"""The figures above the list: tab counts, the summary strip, and how long batches usually take.

Each is remembered per process under a key that holds the mirror's revision, so that a
remembered figure is never an old one.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from django.db.models import CharField, Count, F, Sum, Value
from django.db.models.functions import Coalesce

from batches.models import Batch, Workspace
from dashboard.listing import Listing, start_of

# Enough for every view of a busy team; an entry is a few hundred bytes.
MOST_REMEMBERED = 512
# The history that an estimate is drawn from: the newest so many ended batches.
HISTORY = 500
FEWEST_SAMPLES = 5

TABS = ("all", "active", "canceling", "succeeded", "failed", "canceled", "expired")


@dataclass
class Memory[T]:
    """The newest answers by key, safe between threads."""

    answers: OrderedDict[Hashable, T] = field(default_factory=OrderedDict)
    lock: Lock = field(default_factory=Lock)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The remembered answer, or the one made now."""
        with self.lock:
            if key in self.answers:
                self.answers.move_to_end(key)
                return self.answers[key]
        # Made outside the lock: two threads may both make it, and neither waits.
        answer = make()
        with self.lock:
            self.answers[key] = answer
            while len(self.answers) > MOST_REMEMBERED:
                self.answers.popitem(last=False)
        return answer


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of batches per tab, and the strip's own: requests are of active batches only."""

    tabs: dict[str, int]
    active: int
    processing: int
    ended_today: int


@dataclass(frozen=True, slots=True)
class Usual:
    """How long batches took here, in seconds; `count` is how many of them that rests on."""

    half: float
    most: float
    count: int


type Durations = dict[Hashable, list[float]]

_figures: Memory[Figures] = Memory()
_durations: Memory[Durations] = Memory()


def mirror_key(workspaces: Iterable[Workspace]) -> tuple[tuple[int, int], ...]:
    """Changes with every change of any batch in these workspaces."""
    return tuple((workspace.pk, workspace.latest_revision) for workspace in workspaces)


def figures_of(listing: Listing, now: datetime) -> Figures:
    """What stands above the list, in at most one query."""
    today = now.astimezone(UTC).date()
    key = (mirror_key(listing.workspaces), listing.narrowing, today)
    return _figures.get(key, lambda: _read_figures(listing, start_of(today)))


def _read_figures(listing: Listing, midnight: datetime) -> Figures:
    visible = Batch.objects.filter(workspace__in=[w.pk for w in listing.workspaces]).order_by()
    total = Coalesce(Sum("processing"), 0)
    rows = list(
        _part("tabs", listing.narrowed().order_by(), Value(0)).union(
            _part("active", visible.active(), total),
            _part("today", visible.filter(ended_at__gte=midnight), Value(0)),
            all=True,
        )
    )
    tabs: defaultdict[str, int] = defaultdict(int)
    for part, is_active, status, outcome, batches, _ in rows:
        if part == "tabs":
            for tab in _tabs_of(is_active, status, outcome):
                tabs[tab] += batches
    return Figures(
        tabs={tab: tabs[tab] for tab in TABS},
        active=sum(row[4] for row in rows if row[0] == "active"),
        processing=sum(row[5] for row in rows if row[0] == "active"),
        ended_today=sum(row[4] for row in rows if row[0] == "today"),
    )


def _part(name: str, rows: Any, processing: Any) -> Any:
    return (
        rows.annotate(part=Value(name, output_field=CharField()))
        .values_list("part", "is_active", "processing_status", "outcome")
        .annotate(batches=Count("pk"), requests=processing)
    )


def _tabs_of(is_active: bool, status: str, outcome: str) -> list[str]:  # noqa: FBT001
    tabs = ["all"]
    if is_active:
        tabs.append("active")
        if status == Batch.Status.CANCELING:
            tabs.append("canceling")
    by_outcome = {
        "all_succeeded": "succeeded",
        "some_failed": "failed",
        "all_failed": "failed",
        "canceled": "canceled",
        "canceled_too_late": "canceled",
        "expired": "expired",
    }
    if outcome in by_outcome:
        tabs.append(by_outcome[outcome])
    return tabs


def durations_of(workspaces: Sequence[Workspace]) -> Durations:
    """Seconds that ended batches took, sorted, by `size_key` and `canceling_key`; one query."""
    return _durations.get(mirror_key(workspaces), lambda: _read_durations(workspaces))


def _read_durations(workspaces: Sequence[Workspace]) -> Durations:
    rows = (
        Batch.objects.filter(
            workspace__in=[workspace.pk for workspace in workspaces],
            processing_status=Batch.Status.ENDED,
            ended_at__isnull=False,
        )
        .annotate(requests=F("processing") + F("succeeded") + F("errored") + F("canceled") + F("expired"))
        .order_by("-created_at", "-id")
        .values_list("workspace_id", "requests", "created_at", "cancel_initiated_at", "ended_at")
    )
    durations: defaultdict[Hashable, list[float]] = defaultdict(list)
    for workspace_id, requests, created_at, canceled_at, ended_at in rows[:HISTORY]:
        if canceled_at:
            key: Hashable = canceling_key(workspace_id)
            seconds = (ended_at - canceled_at).total_seconds()
        else:
            key = size_key(workspace_id, requests)
            seconds = (ended_at - created_at).total_seconds()
        durations[key].append(max(0.0, seconds))
    return {key: sorted(values) for key, values in durations.items()}


def size_key(workspace_id: int, requests: int) -> Hashable:
    """Batches compare with those of as many digits of requests in the same workspace."""
    return ("size", workspace_id, len(str(max(requests, 1))))


def canceling_key(workspace_id: int) -> Hashable:
    return ("canceling", workspace_id)


def usual(durations: Durations, key: Hashable) -> Usual | None:
    """Median and 90th percentile, or None where too few samples make a guess of it."""
    samples = durations.get(key, [])
    if len(samples) < FEWEST_SAMPLES:
        return None
    return Usual(percentile(samples, 50), percentile(samples, 90), len(samples))


def percentile(samples: Sequence[float], percent: int) -> float:
    """The smallest of the sorted samples that `percent` of them do not exceed (nearest rank)."""
    rank = -(-len(samples) * percent // 100)
    return samples[max(rank, 1) - 1]
