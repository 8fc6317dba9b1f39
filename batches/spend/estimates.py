"""What a running batch may cost, estimated from what similar batches cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from batches.mirror.history import FEWEST, percentile
from batches.models import Batch, BatchQuerySet
from batches.models.batch import READ_STATES
from batches.spend.costs import cost_of

# The most recent batches that an estimate uses: last month's say little about tonight.
MOST = 200

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


def cost_estimate(batch: Batch) -> CostEstimate | None:
    """Uses batches with the same label, or else owner, or else workspace, if FEWEST have a cost.

    None if too few do, or if the batch has ended.
    """
    if not batch.is_active:
        return None
    for basis, name, similar in _similar(batch):
        costs = costs_per_request(similar)
        if len(costs) >= FEWEST:
            low, high = (percentile(costs, percent) * batch.total for percent in (50, 90))
            return CostEstimate(basis, name, len(costs), low, high)
    return None


def _similar(batch: Batch) -> Iterator[tuple[Basis, str, BatchQuerySet]]:
    # Only within the workspace, as a person who sees the batch may see all of that.
    batches = Batch.objects.filter(workspace=batch.workspace_id)
    if batch.label:
        yield "label", batch.label, batches.filter(label=batch.label)
    if batch.owner:
        yield "owner", batch.owner, batches.filter(owner=batch.owner)
    yield "workspace", batch.workspace.name, batches


def costs_per_request(batches: BatchQuerySet) -> list[Decimal]:
    """USD per succeeded request of the MOST recent batches, those with a known total alone."""
    read = batches.filter(results_state__in=READ_STATES, succeeded__gt=0)
    recent = read.only("succeeded", "results_state", "unknown_lines")
    recent = recent.order_by("-created_at", "-id")[:MOST]
    costs = [(cost_of(batch).total, batch.succeeded) for batch in recent.prefetch_related("usage")]
    return [total / succeeded for total, succeeded in costs if total is not None]
