"""Whether the results of a batch are still to be read, and whether they still can be."""

from datetime import datetime, timedelta

from batches.models import Batch, Reading
from batches.results.reading import UNREAD

# For this long after a batch has ended, people wait for its cost.
AWAITED = timedelta(minutes=10)


def reading_of(batch: Batch) -> Reading | None:
    """How far the reading of its results is; None while the batch is running."""
    return Reading.objects.filter(pk=batch.pk).first() if batch.has_ended else None


def is_awaited(batch: Batch) -> bool:
    """The results are still to be read."""
    return batch.has_ended and batch.results_state in UNREAD


def is_being_read(reading: Reading | None, now: datetime) -> bool:
    return bool(reading and reading.claimed_until and reading.claimed_until > now)


def is_unavailable(batch: Batch, now: datetime) -> bool:
    """Anthropic no longer has the results file."""
    is_lost = batch.results_state == Batch.ResultsState.LOST
    has_expired = now >= batch.results_expire_at
    return bool(is_lost or has_expired or batch.archived_at or batch.deleted_upstream_at)


def is_moving(batch: Batch, now: datetime) -> bool:
    """The page may change at any moment, so it polls often."""
    if batch.is_active:
        return True
    is_pending = batch.results_state == Batch.ResultsState.PENDING and not batch.archived_at
    return bool(is_pending and batch.ended_at and now - batch.ended_at < AWAITED)
