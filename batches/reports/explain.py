"""What may explain a gap between Anthropic's cost report and our figures: batches and usage."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, cast

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, TruncDate

from batches.models import Batch, BatchUsage
from batches.models.batch import COUNTS, READ_STATES
from batches.period import DAY, end_of, start_of

TOTAL = sum((F(name) for name in COUNTS[1:]), F(COUNTS[0]))
STATES = Batch.ResultsState
# Batches created on a day, and the requests that they may be billed for: any of a running batch.
KINDS: dict[str, tuple[Q, Any]] = {
    "running": (Q(is_active=True), TOTAL),
    "unread": (Q(is_active=False, results_state=STATES.PENDING), F("succeeded")),
    "unreadable": (Q(results_state=STATES.UNREADABLE), F("succeeded")),
    "lost": (Q(results_state=STATES.LOST), F("succeeded")),
    # Lines of a file that was whole otherwise.
    "odd": (Q(unknown_lines__gt=0), F("unknown_lines")),
}


class Seen(NamedTuple):
    """How many batches, and how many of their requests."""

    batches: int
    requests: int


@dataclass(slots=True)
class Counted:
    """One day's batches of one workspace: all of them, and those that may explain a gap."""

    batches: int = 0
    # The most requests that Anthropic's cost report can count for them.
    requests: int = 0
    kinds: dict[str, Seen] = field(default_factory=dict)

    def add(self, kind: str, batches: int, requests: int) -> None:
        before = self.kinds.get(kind, Seen(0, 0))
        self.kinds[kind] = Seen(before.batches + batches, before.requests + requests)


# A UTC day, and the caller's ID for the workspace.
type At = tuple[date, str]


def count_batches(
    named: Mapping[int, str], days: Sequence[date], refreshed_at: datetime | None
) -> dict[At, Counted]:
    """Batches by UTC day and workspace; `named` maps primary keys to the IDs in the answer.

    Beside KINDS there are `past_midnight`, batches that ended on another day than they were
    created on, counted on both, and `later`, batches that were read and ended after Anthropic's
    cost report was refreshed.
    """
    kinds = dict(KINDS)
    if refreshed_at:
        later = Q(results_state__in=READ_STATES, ended_at__gt=refreshed_at)
        kinds["later"] = (later, F("succeeded"))
    counted: dict[At, Counted] = defaultdict(Counted)
    for row in _rows(named, days, kinds):
        name = named[row["workspace_id"]]
        here = counted[row["created"], name]
        here.batches += row["batches"]
        here.requests += row["running_requests"] + row["succeeded_requests"]
        for kind in kinds:
            here.add(kind, row[f"{kind}_batches"], row[f"{kind}_requests"])
        if row["ended"] not in {None, row["created"]}:
            for each in (here, counted[row["ended"], name]):
                each.add("past_midnight", row["batches"], row["succeeded_requests"])
    return counted


def _rows(
    named: Mapping[int, str], days: Sequence[date], kinds: Mapping[str, tuple[Q, Any]]
) -> Iterable[dict[str, Any]]:
    """Sums by workspace, day of creation and day of the end."""
    figures: dict[str, Any] = {"batches": Count("pk"), "succeeded_requests": Sum("succeeded")}
    for kind, (which, requests) in kinds.items():
        figures[f"{kind}_batches"] = Count("pk", filter=which)
        figures[f"{kind}_requests"] = Coalesce(Sum(requests, filter=which), 0)
    # A batch lives for a day (api.md), so none that ended in the span is older than that.
    begin, end = start_of(min(days) - 2 * DAY), end_of(max(days))
    created, ended = (TruncDate(name, tzinfo=UTC) for name in ("created_at", "ended_at"))
    batches = Batch.objects.filter(workspace__in=list(named)).exclude(twin_of__in=list(named))
    days_lived = (
        batches.filter(created_at__gte=begin, created_at__lt=end)
        .annotate(created=created, ended=ended)
        .values("workspace_id", "created", "ended")
    )
    return cast("Iterable[dict[str, Any]]", days_lived.annotate(**figures))


def count_unpriced(
    named: Mapping[int, str], days: Sequence[date], models: Collection[str]
) -> dict[At, Seen]:
    """Batches that used any of the models, by day of creation and the ID from `named`."""
    rows = (
        BatchUsage.objects.filter(workspace__in=list(named), model__in=models)
        .filter(day__range=(min(days), max(days)))
        .exclude(batch__twin_of__in=list(named))
        .values_list("workspace_id", "day")
        .annotate(batches=Count("batch", distinct=True), sent=Sum("requests"))
    )
    counted: dict[At, Seen] = {}
    for pk, day, batches, requests in rows:
        before = counted.get((day, named[pk]), Seen(0, 0))
        counted[day, named[pk]] = Seen(before.batches + batches, before.requests + requests)
    return counted
