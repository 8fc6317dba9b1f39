"""The history of a batch: what it was before each change worth keeping."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Max

from batches.client import RemoteBatch
from batches.models import Batch, Observation
from batches.models.batch import COUNTS

# A change of the counts alone is added at most once in this time.
OBSERVATION_GAP = timedelta(minutes=1)


def note_changes(changed: Sequence[tuple[Batch, RemoteBatch]], now: datetime) -> None:
    """Keep what rows are before they become as the API now lists them. At most two queries."""
    noted = _noted_until([row for row, remote in changed if _has_moved(row, remote)])
    Observation.objects.bulk_create(
        [
            _observation(row, now)
            for row, remote in changed
            if _is_worth_noting(row, remote, noted.get(row.pk, row.first_seen_at), now)
        ]
    )


def _has_moved(row: Batch, remote: RemoteBatch) -> bool:
    return any(getattr(row, name) != getattr(remote.request_counts, name) for name in COUNTS)


def _noted_until(rows: Sequence[Batch]) -> dict[int, datetime]:
    """By primary key, until when the last observation of a row was; without rows that have none."""
    noted = Observation.objects.filter(batch__in=[row.pk for row in rows]).order_by()
    ends = noted.values_list("batch").annotate(Max("seen_until"))
    return dict(ends) if rows else {}


def _is_worth_noting(row: Batch, remote: RemoteBatch, noted_until: datetime, now: datetime) -> bool:
    """Not since the last change: a busy batch changes in every round."""
    if row.processing_status != remote.processing_status:
        return True
    return _has_moved(row, remote) and now - noted_until >= OBSERVATION_GAP


def _observation(row: Batch, now: datetime) -> Observation:
    return Observation(
        batch=row,
        seen_from=row.changed_at,
        seen_until=now,
        processing_status=row.processing_status,
        **{name: getattr(row, name) for name in COUNTS},
    )
