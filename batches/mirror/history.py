"""How long earlier batches took, to estimate how long a running one may still take."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from batches.models import Batch, Workspace

# An estimate needs at least this many batches.
FEWEST = 5
# Only the most recent batches count, as the API's speed changes.
MOST = 1000
# In a workspace without history, canceling for longer than this is unusual.
USUAL_CANCELING = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long batches of one size took: p50 and p90 in seconds, of `sample` batches."""

    sample: int
    p50: float
    p90: float


def size_class(requests: int) -> str:
    """The order of magnitude: "0" for 1 to 9 requests, "1" for 10 to 99 …"""
    return str(len(str(max(requests, 1))) - 1)


def usual_durations(workspace: Workspace) -> dict[str, Any]:
    """The value for `Workspace.usual_durations`, in seconds.

    By size class `[sample, p50, p90]`, from creation to end of batches that were not canceled, and
    for "canceling" `[sample, p95]`, from the cancel to the end.
    """
    by_size: dict[str, list[float]] = defaultdict(list)
    canceling: list[float] = []
    ended = Batch.objects.filter(workspace=workspace, ended_at__isnull=False).only(
        "created_at", "ended_at", "cancel_initiated_at",
        "processing", "succeeded", "errored", "canceled", "expired",
    )  # fmt: skip
    for batch in ended.order_by("-ended_at")[:MOST]:
        if batch.ended_at and batch.cancel_initiated_at:
            canceling.append(_seconds(batch.cancel_initiated_at, batch.ended_at))
        elif batch.ended_at:
            by_size[size_class(batch.total)].append(_seconds(batch.created_at, batch.ended_at))
    kept: dict[str, Any] = {
        size: [len(taken), percentile(taken, 50), percentile(taken, 90)]
        for size, taken in by_size.items()
        if len(taken) >= FEWEST
    }
    if len(canceling) >= FEWEST:
        kept["canceling"] = [len(canceling), percentile(canceling, 95)]
    return kept


def estimate(workspace: Workspace, requests: int) -> Estimate | None:
    """How long batches of this size took; None if fewer than FEWEST are known."""
    kept = workspace.usual_durations.get(size_class(requests))
    return Estimate(*kept) if kept else None


def usual_canceling(workspace: Workspace) -> timedelta:
    """How long canceling usually takes at most: the workspace's p95, or ten minutes."""
    kept = workspace.usual_durations.get("canceling")
    return timedelta(seconds=kept[1]) if kept else USUAL_CANCELING


def percentile[T: (float, Decimal)](values: Sequence[T], percent: int) -> T:
    """The nearest-rank percentile, which is always one of the values."""
    ranked = sorted(values)
    rank = -(-len(ranked) * percent // 100)
    return ranked[max(rank, 1) - 1]


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())
