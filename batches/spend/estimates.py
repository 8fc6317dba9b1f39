"""What running batches may cost, estimated from what similar batches cost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock
from time import monotonic
from typing import Literal

from django.conf import settings
from django.db.models import Q

from batches.mirror.history import FEWEST, percentile
from batches.models import Batch
from batches.models.batch import READ_STATES
from batches.spend.costs import cost_of

# A workspace's sample: last month's batches say little about tonight.
MOST = 500
# A batch that was read since then is not in the estimates yet.
KEPT_SECONDS = 60.0

type Basis = Literal["label", "owner", "workspace"]


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """USD: p50 and p90 of similar batches' cost per succeeded request, times the requests.

    `name` is the label, owner or workspace that they share; `sample` is their number.
    """

    basis: Basis
    name: str
    sample: int
    low: Decimal
    high: Decimal


type Key = tuple[Basis, str]


@dataclass(frozen=True, slots=True)
class CostPerRequest:
    """USD per succeeded request: p50 and p90 of `sample` batches."""

    sample: int
    p50: Decimal
    p90: Decimal


@dataclass(frozen=True, slots=True)
class Sample:
    """What a workspace's recent batches cost, by what they share, if FEWEST of them do."""

    priced_by: object
    made_at: float
    by: dict[Key, CostPerRequest]


_samples: dict[int, Sample] = {}
_lock = Lock()


def cost_estimate(batch: Batch) -> CostEstimate | None:
    """As `cost_estimates`, of one batch; None if it has none."""
    return cost_estimates([batch]).get(batch.pk)


def cost_estimates(batches: Iterable[Batch]) -> dict[int, CostEstimate]:
    """The estimates of those that are active, by primary key; at most two queries for all.

    They use batches with the same label, or else owner, or else workspace, if FEWEST of the MOST
    recent ones in the workspace have a known cost. Samples are kept in memory for KEPT_SECONDS.
    """
    active = [batch for batch in batches if batch.is_active]
    samples = _samples_of({batch.workspace_id for batch in active})
    found = ((batch.pk, _estimate(batch, samples[batch.workspace_id])) for batch in active)
    return {key: estimate for key, estimate in found if estimate}


def forget() -> None:
    """Empty the memory: for tests, whose databases use the same keys."""
    with _lock:
        _samples.clear()


def _estimate(batch: Batch, sample: Sample) -> CostEstimate | None:
    for basis, name in _shared(batch):
        if found := sample.by.get((basis, name)):
            low, high = (each * batch.total for each in (found.p50, found.p90))
            named = name or batch.workspace.name
            return CostEstimate(basis, named, found.sample, low, high)
    return None


def _shared(batch: Batch) -> Iterator[Key]:
    """What similar batches share with it, the closest first; the workspace has no name here."""
    # Only within the workspace, as a person who sees the batch may see all of that.
    if batch.label:
        yield "label", batch.label
    if batch.owner:
        yield "owner", batch.owner
    yield "workspace", ""


def _samples_of(workspaces: set[int]) -> dict[int, Sample]:
    table, now = settings.BATCHBOARD_PRICE_TABLE, monotonic()
    with _lock:
        kept = {key: _samples[key] for key in workspaces if key in _samples}
    usable = {
        key: sample
        for key, sample in kept.items()
        if sample.priced_by is table and now - sample.made_at < KEPT_SECONDS
    }
    if missing := sorted(workspaces - usable.keys()):
        made = {key: Sample(table, now, by) for key, by in _costs_per_request(missing).items()}
        with _lock:
            _samples.update(made)
        usable |= made
    return usable


def _costs_per_request(workspaces: Sequence[int]) -> dict[int, dict[Key, CostPerRequest]]:
    """Of the MOST recent batches of each workspace, those with a known total alone."""
    read = Batch.objects.filter(results_state__in=READ_STATES, succeeded__gt=0)
    recent = Q()
    for workspace in workspaces:
        newest = read.filter(workspace=workspace).order_by("-created_at", "-id")
        recent |= Q(pk__in=newest.values("pk")[:MOST])
    columns = ("workspace_id", "label", "owner", "succeeded", "results_state", "unknown_lines")
    batches = Batch.objects.filter(recent).only(*columns).prefetch_related("usage")
    costs: dict[int, dict[Key, list[Decimal]]] = {key: defaultdict(list) for key in workspaces}
    for batch in batches:
        total = cost_of(batch).total
        if total is not None:
            for shared in _shared(batch):
                costs[batch.workspace_id][shared].append(total / batch.succeeded)
    return {workspace: _summed_up(found) for workspace, found in costs.items()}


def _summed_up(costs: dict[Key, list[Decimal]]) -> dict[Key, CostPerRequest]:
    return {
        key: CostPerRequest(len(each), percentile(each, 50), percentile(each, 90))
        for key, each in costs.items()
        if len(each) >= FEWEST
    }
