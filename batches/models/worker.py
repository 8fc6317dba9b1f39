"""Worker processes, and recurring work that belongs to no other table."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models

from batches.clock import is_future
from batches.models.claim import Claimable, ClaimableQuerySet

# A worker writes its row every five seconds.
SEEN_FOR = timedelta(seconds=30)


class WorkerProcessQuerySet(models.QuerySet["WorkerProcess"]):
    def doing(self, kind: str) -> Self:
        """Processes that run work of this kind."""
        return self.filter(kinds__contains=f",{kind},")

    def last_seen(self) -> dict[str, datetime]:
        """By kind of work, when a worker that runs it was last seen."""
        seen: dict[str, datetime] = {}
        for kinds, at in self.order_by("seen_at").values_list("kinds", "seen_at"):
            seen |= dict.fromkeys(kinds.strip(",").split(","), at)
        return seen


class WorkerProcess(models.Model):
    """One `manage.py worker`, which updates `seen_at` every few seconds."""

    # The claims of the worker begin with its name.
    name = models.CharField(max_length=12, primary_key=True)
    # The machine and process namespace that `pid` belongs to, and when the process was started.
    # With these a later worker on the same machine can tell whether this one still runs.
    place = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    process_started = models.CharField(max_length=40, blank=True)
    # With a comma before, between and after the names.
    kinds = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = WorkerProcessQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} on {self.place}"


def is_running(seen_at: datetime | None, now: datetime) -> bool:
    """Whether a worker that was last seen at that time is assumed to run."""
    return bool(seen_at and not is_future(seen_at, now) and now - seen_at <= SEEN_FOR)


class Chore(Claimable):
    """Recurring housekeeping, such as deleting expired sessions."""

    name = models.CharField(max_length=40, unique=True)
    # What the chore has to know the next time.
    remembered = models.CharField(max_length=64, blank=True, default="", db_default="")

    objects = ClaimableQuerySet["Chore"].as_manager()

    def __str__(self) -> str:
        return self.name
