"""Keeps the column by which lists sort batches by cost, after readings and changes of prices."""

import hashlib

from django.conf import settings

from batches.models import Batch, Revision, Workspace
from batches.models.batch import COST_DUE, COST_UNKNOWN, READ_STATES
from batches.spend.costs import cost_of

# Rows in one transaction, as other writers wait for it.
BLOCK = 500
MICRO_USD = 1_000_000


def price_digest() -> str:
    """Identifies the price table in use."""
    return hashlib.blake2s(repr(settings.BATCHBOARD_PRICE_TABLE.prices).encode()).hexdigest()


def rank_costs(computed_with: str) -> str:
    """Compute every `cost_order` that is due; all of them if the price table has changed.

    `computed_with` is the digest that the last call returned, or empty.
    """
    digest = price_digest()
    if digest != computed_with:
        Batch.objects.filter(results_state__in=READ_STATES).update(cost_order=COST_DUE)
    while _rank_some():
        pass
    return digest


def _rank_some() -> bool:
    due = Batch.objects.filter(cost_order=COST_DUE)
    if not due.exists():
        return False
    with Revision.writing():
        rows = list(due.defer("raw").prefetch_related("usage")[:BLOCK])
        revision = Revision.take(1)
        for row in rows:
            row.cost_order, row.revision = cost_order(row), revision
        Batch.objects.bulk_update(rows, ["cost_order", "revision"], batch_size=100)
        owners = {row.workspace_id for row in rows}
        Workspace.objects.filter(pk__in=owners).update(latest_revision=revision)
    return True


def cost_order(batch: Batch) -> int:
    """The known cost, or the known part of it, in millionths of a US dollar, rounded down."""
    cost = cost_of(batch)
    return int(cost.known * MICRO_USD) if cost.is_known_in_part else COST_UNKNOWN
