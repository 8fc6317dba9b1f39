"""What may explain a gap between Anthropic's cost report and Batchboard's: batches and usage."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, cast

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, TruncDate

from batches.models import Batch, BatchUsage
from batches.models.batch import COUNTS, READ_STATES
from batches.period import DAY, end_of, start_of
from batches.pricing import BATCH_TIER

TOTAL = sum((F(name) for name in COUNTS[1:]), F(COUNTS[0]))
STATES = Batch.ResultsState
# Batches created on a day, and the requests that they may be billed for: all of a running batch.
KINDS: dict[str, tuple[Q, Any]] = {
    "running": (Q(is_active=True), TOTAL),
    "unread": (Q(is_active=False, results_state=STATES.PENDING), F("succeeded")),
    "unreadable": (Q(results_state=STATES.UNREADABLE), F("succeeded")),
    "lost": (Q(results_state=STATES.LOST), F("succeeded")),
    # Lines that can't be understood, in a file that is complete otherwise.
    "odd": (Q(unknown_lines__gt=0), F("unknown_lines")),
}


class UsageKind(NamedTuple):
    """Usage that Anthropic may price or list differently, as SQL and in Python.

    `holds` takes the columns of a row by name. `requests` is the column that counts its requests.
    """

    which: Q
    holds: Callable[[Mapping[str, Any]], bool]
    requests: str


def _part(part: BatchUsage.Part) -> UsageKind:
    # `requests` counts a request with its message, not with its other parts.
    return UsageKind(Q(part=part), lambda by: by["part"] == part, "uses")


# A usage row may be of several kinds.
USAGE_KINDS = {
    "off_tier": UsageKind(~Q(tier=BATCH_TIER), lambda by: by["tier"] != BATCH_TIER, "requests"),
    "advisor": _part(BatchUsage.Part.ADVISOR),
    "compaction": _part(BatchUsage.Part.COMPACTION),
    "unknown_fields": UsageKind(~Q(unpriced_by=""), lambda by: bool(by["unpriced_by"]), "requests"),
}


class BatchCount(NamedTuple):
    """How many batches, and how many of their requests."""

    batches: int
    requests: int

    def plus(self, batches: int, requests: int) -> "BatchCount":
        return BatchCount(self.batches + batches, self.requests + requests)


@dataclass(slots=True)
class DayCounts:
    """The batches of one workspace on one day: all, and those that may explain a gap, by kind."""

    batches: int = 0
    # The most requests that Anthropic's cost report can have for them.
    requests: int = 0
    kinds: dict[str, BatchCount] = field(default_factory=dict)

    def add(self, kind: str, batches: int, requests: int) -> None:
        self.kinds[kind] = self.kinds.get(kind, BatchCount(0, 0)).plus(batches, requests)


# A UTC day, and Anthropic's ID for the workspace.
type At = tuple[date, str]


def count_batches(
    api_ids: Mapping[int, str], days: Sequence[date], refreshed_at: datetime | None
) -> dict[At, DayCounts]:
    """Batches by UTC day and workspace; `api_ids` maps primary keys to Anthropic's IDs.

    There are two kinds besides KINDS: `past_midnight`, batches that ended on a later day than
    they were created on, which count on both days; and `later`, batches that have been read and
    ended after Anthropic's cost report was refreshed.
    """
    kinds = dict(KINDS)
    if refreshed_at:
        later = Q(results_state__in=READ_STATES, ended_at__gt=refreshed_at)
        kinds["later"] = (later, F("succeeded"))
    counted: dict[At, DayCounts] = defaultdict(DayCounts)
    for row in _rows(api_ids, days, kinds):
        api_id = api_ids[row["workspace_id"]]
        here = counted[row["created"], api_id]
        here.batches += row["batches"]
        here.requests += row["running_requests"] + row["succeeded_requests"]
        for kind in kinds:
            here.add(kind, row[f"{kind}_batches"], row[f"{kind}_requests"])
        if row["ended"] not in {None, row["created"]}:
            for each in (here, counted[row["ended"], api_id]):
                each.add("past_midnight", row["batches"], row["succeeded_requests"])
    return counted


def _rows(
    api_ids: Mapping[int, str], days: Sequence[date], kinds: Mapping[str, tuple[Q, Any]]
) -> Iterable[dict[str, Any]]:
    """Sums by workspace, day of creation, and day of the end."""
    figures: dict[str, Any] = {"batches": Count("pk"), "succeeded_requests": Sum("succeeded")}
    for kind, (which, requests) in kinds.items():
        figures[f"{kind}_batches"] = Count("pk", filter=which)
        figures[f"{kind}_requests"] = Coalesce(Sum(requests, filter=which), 0)
    # A batch expires after a day, so one that ended on these days is not much older.
    begin, end = start_of(min(days) - 2 * DAY), end_of(max(days))
    created, ended = (TruncDate(name, tzinfo=UTC) for name in ("created_at", "ended_at"))
    batches = Batch.objects.filter(workspace__in=list(api_ids)).exclude(twin_of__in=list(api_ids))
    days_lived = (
        batches.filter(created_at__gte=begin, created_at__lt=end)
        .annotate(created=created, ended=ended)
        .values("workspace_id", "created", "ended")
    )
    return cast("Iterable[dict[str, Any]]", days_lived.annotate(**figures))


def count_usage(
    api_ids: Mapping[int, str], days: Sequence[date], models: Collection[str]
) -> dict[At, dict[str, BatchCount]]:
    """Batches with usage of each kind in USAGE_KINDS, by day of creation and workspace.

    The kind `unpriced` is usage of any of `models`. For advisors and compactions, a request whose
    passes have several models or prompt brackets counts once for each.
    """
    kinds = {kind: (each.which, each.requests) for kind, each in USAGE_KINDS.items()}
    kinds["unpriced"] = (Q(model__in=models), "requests")
    figures: dict[str, Any] = {}
    for kind, (which, requests) in kinds.items():
        figures[f"{kind}_batches"] = Count("batch", distinct=True, filter=which)
        figures[f"{kind}_requests"] = Coalesce(Sum(requests, filter=which), 0)
    rows = (
        BatchUsage.objects.filter(workspace__in=list(api_ids), day__range=(min(days), max(days)))
        .filter(reduce(or_, (which for which, _ in kinds.values())))
        .exclude(batch__twin_of__in=list(api_ids))
        .values("workspace_id", "day")
        .annotate(**figures)
    )
    counted: dict[At, dict[str, BatchCount]] = defaultdict(
        lambda: dict.fromkeys(kinds, BatchCount(0, 0))
    )
    for row in cast("Iterable[dict[str, Any]]", rows):
        here = counted[row["day"], api_ids[row["workspace_id"]]]
        for kind in kinds:
            here[kind] = here[kind].plus(row[f"{kind}_batches"], row[f"{kind}_requests"])
    return counted
