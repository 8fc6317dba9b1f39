"""What a running batch may cost: told from what batches like it have cost here."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from batches.mirror.history import FEWEST, percentile
from batches.models import Batch, BatchQuerySet
from batches.models.batch import READ_STATES
from batches.spend.costs import cost_of

# The most recent ones: what was sent last month says less about tonight.
MOST = 200

type Basis = Literal["label", "owner", "workspace"]


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """From p50 to p90 of the cost per request of batches alike, times the requests; in USD.

    `name` is the label, owner or workspace they share, `sample` how many they were.
    """

    basis: Basis
    name: str
    sample: int
    low: Decimal
    high: Decimal


def cost_estimate(batch: Batch) -> CostEstimate | None:
    """From the closest likeness with FEWEST samples; None without one, or once it has ended."""
    if not batch.is_active:
        return None
    for basis, name, alike in _likenesses(batch):
        costs = costs_per_request(alike)
        if len(costs) >= FEWEST:
            low, high = (percentile(costs, percent) * batch.total for percent in (50, 90))
            return CostEstimate(basis, name, len(costs), low, high)
    return None


def _likenesses(batch: Batch) -> Iterator[tuple[Basis, str, BatchQuerySet]]:
    """Within the workspace, whose people may see what they are told of."""
    neighbours = Batch.objects.filter(workspace=batch.workspace_id)
    if batch.label:
        yield "label", batch.label, neighbours.filter(label=batch.label)
    if batch.owner:
        yield "owner", batch.owner, neighbours.filter(owner=batch.owner)
    yield "workspace", batch.workspace.name, neighbours


def costs_per_request(batches: BatchQuerySet) -> list[Decimal]:
    """USD per succeeded request of each batch whose whole cost is known, the MOST recent ones."""
    read = batches.filter(results_state__in=READ_STATES, succeeded__gt=0)
    recent = read.only("succeeded", "results_state", "unknown_lines")
    recent = recent.order_by("-created_at", "-id")[:MOST]
    costs = [(cost_of(batch).total, batch.succeeded) for batch in recent.prefetch_related("usage")]
    return [total / succeeded for total, succeeded in costs if total is not None]
