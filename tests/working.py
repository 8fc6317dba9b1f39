"""Rows as a worker has them: claimed, with what their work needs loaded."""

from django.utils import timezone

from batches.models import Batch, Claimable, Ingestion, WorkerProcess
from batches.results.reading import read_results
from batches.turn import Turn
from batches.worker import kinds


def seen_worker() -> WorkerProcess:
    """The row of a worker of every kind of work, seen just now."""
    now = timezone.now()
    return WorkerProcess.objects.create(
        name="tests",
        place="tests",
        pid=1,
        kinds=f",{','.join(kinds.NAMES)},",
        started_at=now,
        seen_at=now,
    )


def claim[T: Claimable](row: T) -> T:
    """The row as a worker has it that has just claimed it."""
    token, keys = type(row).objects.take([row.pk], timezone.now(), owner="tests")
    assert keys == [row.pk], "the row is not due"
    return type(row).objects.get(claim=token)


def ingest(batch: Batch) -> bool:
    """Read a batch's results whether they are due or not; False without figures.

    Does nothing when another process holds the row.
    """
    Ingestion.objects.filter(pk=batch.pk).update(next_attempt_at=None)
    token, keys = Ingestion.objects.take([batch.pk], timezone.now(), owner="tests")
    if not keys:
        return False
    row = Ingestion.objects.select_related("batch__workspace").get(claim=token)
    return read_results(row, Turn())
