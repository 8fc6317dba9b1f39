"""Recurring work that belongs to no workspace. A chore is a name, an interval and a function."""

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module

from django.conf import settings

from batches import clock, labels
from batches.models import Chore, WorkerProcess
from batches.models.claim import ClaimableQuerySet
from batches.results import reading
from batches.spend.ranking import rank_costs

# Rows of workers not seen for this long are deleted.
KEPT = timedelta(days=7)


def delete_old() -> None:
    """Delete expired sessions, labels that waited in vain, and workers that ended long ago."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    labels.forget_pending(clock.now())
    WorkerProcess.objects.filter(seen_at__lt=clock.now() - KEPT).delete()


def derive_lost() -> None:
    reading.mark_lost(clock.now())


def order_costs() -> None:
    chore = Chore.objects.get(name="order-costs")
    digest = rank_costs(chore.remembered)
    Chore.objects.filter(pk=chore.pk).update(remembered=digest)


# Seconds between two runs.
CHORES: dict[str, tuple[float, Callable[[], None]]] = {
    "derive-lost": (10.0, derive_lost),
    "order-costs": (10.0, order_costs),
    "delete-old": (3600.0, delete_old),
}


def due_chores(now: datetime) -> ClaimableQuerySet[Chore]:
    """Chores that are due. Creates missing rows."""
    known = Chore.objects.filter(name__in=CHORES)
    if known.count() < len(CHORES):
        Chore.objects.bulk_create([Chore(name=name) for name in CHORES], ignore_conflicts=True)
    return known.due(now).order_by("next_attempt_at", "id")


def run(chore: Chore) -> None:
    """Run a claimed chore. Raises ClaimLost, and any error of the chore."""
    seconds, do = CHORES[chore.name]
    do()
    chore.done(clock.now(), seconds=seconds)
