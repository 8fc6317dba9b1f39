"""Which worker processes run, and the chores that belong to no other table."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models

from batches.clock import is_future
from batches.models.claim import Claimable, ClaimableQuerySet

# Workers write their row every five seconds.
SEEN_FOR = timedelta(seconds=30)


class WorkerProcessQuerySet(models.QuerySet["WorkerProcess"]):
    def doing(self, kind: str) -> Self:
        """Processes that run work of this kind."""
        return self.filter(kinds__contains=f",{kind},")

    def last_seen(self) -> dict[str, datetime]:
        """When a worker that does it was last seen, by kind of work."""
        seen: dict[str, datetime] = {}
        for kinds, at in self.order_by("seen_at").values_list("kinds", "seen_at"):
            seen |= dict.fromkeys(kinds.strip(",").split(","), at)
        return seen


class WorkerProcess(models.Model):
    """One `manage.py worker`. It writes every few seconds that it lives."""

    # Also the beginning of each of its claims.
    name = models.CharField(max_length=12, primary_key=True)
    # Machine and process namespace in which `pid` means something, and when it was started:
    # a successor on the same machine can tell whether this process still runs.
    place = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    process_started = models.CharField(max_length=40, blank=True)
    # Comma before, between and after.
    kinds = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = WorkerProcessQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} on {self.place}"


def is_running(seen_at: datetime | None, now: datetime) -> bool:
    """Whether a worker that was last seen then can be expected to run."""
    return bool(seen_at and not is_future(seen_at, now) and now - seen_at <= SEEN_FOR)


class Chore(Claimable):
    """A recurring task of Batchboard's own, such as deleting expired sessions."""

    name = models.CharField(max_length=40, unique=True)

    objects = ClaimableQuerySet["Chore"].as_manager()

    def __str__(self) -> str:
        return self.name
