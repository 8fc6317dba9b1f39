"""What the worker runs. A task is a hint; the row says whether anything is left to do."""

from django.tasks import task
from django.utils import timezone

from batches import cancel, results
from batches.models import Cancellation
from batches.reports import fetch

# A person waits for a cancel; nobody waits for one results file among many.
FIRST, LATER = 50, 0


@task(priority=FIRST)
def confirm_cancellation(cancellation_id: int) -> None:
    """Ask the API again for a cancellation that is still open."""
    wish = Cancellation.objects.due(timezone.now()).filter(pk=cancellation_id).first()
    if wish:
        cancel.attempt(wish)


@task(priority=LATER)
def ingest_results(batch_pk: int) -> None:
    """Read the results file of one batch, unless that has been done meanwhile."""
    batch = results.unread().select_related("workspace").defer("raw").filter(pk=batch_pk).first()
    if batch:
        results.ingest(batch)


@task(priority=LATER)
def fetch_cost_report() -> None:
    """Fetch the vendor's cost report, unless that has been done meanwhile."""
    fetch.fetch_report(timezone.now())


def queue_due_work() -> int:
    """Queue what the rows say is due and nobody has in hand; how many tasks that made."""
    now = timezone.now()
    wishes, readings = cancel.due_cancellations(now), results.due_readings(now)
    for pk in wishes:
        confirm_cancellation.enqueue(pk)
    for pk in readings:
        ingest_results.enqueue(pk)
    is_report_due = fetch.due_report(now)
    if is_report_due:
        fetch_cost_report.enqueue()
    return len(wishes) + len(readings) + is_report_due
