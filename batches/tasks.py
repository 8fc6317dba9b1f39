"""What the worker runs. A task is a hint; the row says whether anything is left to do."""

from django.tasks import task
from django.utils import timezone

from batches import cancel
from batches.models import Cancellation


@task()
def confirm_cancellation(cancellation_id: int) -> None:
    """Ask the API again for a cancellation that is still open."""
    wish = Cancellation.objects.due(timezone.now()).filter(pk=cancellation_id).first()
    if wish:
        cancel.attempt(wish)


def queue_due_work() -> int:
    """Queue what the rows say is due and nobody has in hand; how many tasks that made."""
    due = cancel.due_cancellations(timezone.now())
    for pk in due:
        confirm_cancellation.enqueue(pk)
    return len(due)
