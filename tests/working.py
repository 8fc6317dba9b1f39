"""Does what a worker does with rows: claims them and works on them."""

from django.utils import timezone

from batches.models import Batch, Claimable, Reading, WorkerProcess
from batches.results.reading import read_results
from batches.turn import Turn
from batches.worker import kinds


def seen_worker() -> WorkerProcess:
    """Create the row of a worker that runs all kinds of work and was seen just now."""
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
    """Claim the row, as a worker does, and load it again."""
    token, keys = type(row).objects.take([row.pk], timezone.now(), owner="tests")
    assert keys == [row.pk], "the row is not due"
    return type(row).objects.get(claim=token)


def read_now(batch: Batch) -> bool:
    """Read a batch's results, due or not; False if that gave no figures.

    Does nothing while another process has claimed the row.
    """
    Reading.objects.filter(pk=batch.pk).update(next_attempt_at=None)
    token, keys = Reading.objects.take([batch.pk], timezone.now(), owner="tests")
    if not keys:
        return False
    row = Reading.objects.select_related("batch__workspace").get(claim=token)
    return read_results(row, Turn())
