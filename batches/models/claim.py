"""Rows that are work: which of them are due, and which process works on them.

Every kind of work is a table of `Claimable` rows (see `batches.worker.kinds`). A process claims a
row with one conditional UPDATE, renews the claim while it works, and gives it back with the time
of the next attempt. The claim is a fencing token: a process that lost it can't write to the row.
"""

import random
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import connection, models, transaction
from django.db.models import Q

from batches.clock import MARGIN

# A claim that is not renewed is free again after this long; workers renew every few seconds.
CLAIM = timedelta(seconds=30)
LONGEST_ERROR = 2000


class ClaimLost(Exception):
    """Another process holds the row now, so this one must not write to it."""


def new_claim(owner: str) -> str:
    """A unique token; `owner` says which process made it."""
    return f"{owner}.{uuid.uuid4().hex}"


def back_off(attempts: int, *, first: float, longest: float) -> float:
    """Seconds to wait after that many failures: doubling, with jitter to spread retries out."""
    doubled = first * 2.0 ** min(max(attempts - 1, 0), 20)
    return min(doubled, longest) * random.uniform(0.5, 1.0)


class ClaimableQuerySet[T: "Claimable"](models.QuerySet[T]):
    def free(self, now: datetime) -> Self:
        """Not claimed, or claimed by a process that has stopped renewing."""
        return self.filter(free(now))

    def due(self, now: datetime) -> Self:
        """Free, and past the time of the next attempt."""
        return self.filter(due(now))

    def take(self, keys: Iterable[int], now: datetime, *, owner: str) -> tuple[str, list[int]]:
        """Claim those of the rows that are still due; the claim, and their primary keys.

        On PostgreSQL, rows that another process is claiming right now are skipped.
        """
        claim = new_claim(owner)
        rows = self.due(now).filter(pk__in=list(keys))
        with transaction.atomic():
            if connection.features.has_select_for_update_skip_locked:
                locked = rows.select_for_update(skip_locked=True, of=("self",)).order_by()
                rows = self.filter(pk__in=list(locked.values_list("pk", flat=True)))
            if not rows.order_by().update(claim=claim, claimed_until=now + CLAIM, stamped_at=now):
                return claim, []
        taken = self.model._default_manager.filter(claim=claim)
        return claim, list(taken.values_list("pk", flat=True))

    def renew(self, claims: Mapping[int, str], now: datetime) -> int:
        """Renew claims, given by primary key; how many are still held.

        One row at a time: statements that lock several rows could deadlock.
        """
        return sum(
            self.filter(pk=key, claim=claim).update(claimed_until=now + CLAIM, stamped_at=now)
            for key, claim in claims.items()
        )

    def release(self, owner: str, now: datetime) -> int:
        """Free the rows of a process that no longer runs, and make them due; their number."""
        held = self.filter(claim__startswith=f"{owner}.")
        return sum(
            held.filter(pk=key).update(
                claim="", claimed_until=None, next_attempt_at=None, stamped_at=now
            )
            for key in list(held.values_list("pk", flat=True))
        )


def free(now: datetime, prefix: str = "") -> Q:
    """The condition of `ClaimableQuerySet.free`, for rows that a query reaches by `prefix`."""
    until, stamped = f"{prefix}claimed_until", f"{prefix}stamped_at"
    return (
        Q(**{until: None})
        | Q(**{f"{until}__lte": now})
        # Written by a clock that was ahead, so the time means nothing.
        | Q(**{f"{stamped}__gt": now + MARGIN})
    )


def due(now: datetime, prefix: str = "") -> Q:
    """The condition of `ClaimableQuerySet.due`, for rows that a query reaches by `prefix`."""
    at, stamped = f"{prefix}next_attempt_at", f"{prefix}stamped_at"
    is_past = Q(**{at: None}) | Q(**{f"{at}__lte": now}) | Q(**{f"{stamped}__gt": now + MARGIN})
    return free(now, prefix) & is_past


class Claimable(models.Model):
    """A row that is work for a worker. With a `next_attempt_at` of None it is due at once."""

    # Seconds to wait after the first failure, and at most.
    FIRST_WAIT: ClassVar[float] = 10.0
    LONGEST_WAIT: ClassVar[float] = 300.0

    claim = models.CharField(max_length=64, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    # When these times were written. If that is in the future, they can't be trusted.
    stamped_at = models.DateTimeField(null=True, editable=False)
    # Failed attempts in a row.
    attempts = models.PositiveIntegerField(default=0, editable=False)
    error = models.TextField(blank=True, editable=False)
    error_at = models.DateTimeField(null=True, editable=False)
    # The ID of the API's last answer, for Anthropic's support.
    request_id = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        abstract = True

    def keep(self, **columns: Any) -> None:
        """Write columns, provided that the claim is still held. Raises ClaimLost."""
        held = type(self)._default_manager.filter(pk=self.pk, claim=self.claim)
        if not held.update(**columns):
            raise ClaimLost
        for name, value in columns.items():
            setattr(self, name, value)

    def done(self, now: datetime, *, seconds: float | None = None, **columns: Any) -> None:
        """Give the claim back after a success. The row is due again in `seconds`, or at once.

        Raises ClaimLost.
        """
        at = None if seconds is None else now + timedelta(seconds=seconds)
        fresh = {"attempts": 0, "error": "", "error_at": None, "request_id": ""}
        self.keep(**(given_back(now) | {"next_attempt_at": at} | fresh | columns))

    def put_off(
        self,
        now: datetime,
        error: str,
        *,
        request_id: str = "",
        at_least: float = 0.0,
        seconds: float | None = None,
        **columns: Any,
    ) -> float:
        """Give the claim back after a failure; the seconds until the next attempt.

        The wait grows with every failure. It is at least `at_least`, of which no more than an hour
        counts, or exactly `seconds` if given. Raises ClaimLost.
        """
        attempts = self.attempts + 1
        wait = seconds
        if wait is None:
            usual = back_off(attempts, first=self.FIRST_WAIT, longest=self.LONGEST_WAIT)
            wait = max(usual, min(at_least, 3600.0))
        failed = {
            "attempts": attempts,
            "error": error[:LONGEST_ERROR],
            "error_at": now,
            "request_id": request_id[:200],
            "next_attempt_at": now + timedelta(seconds=wait),
        }
        self.keep(**(given_back(now) | failed | columns))
        return wait

    def hand_back(self, now: datetime) -> None:
        """Give the claim back without an attempt; the row is due as before. Raises ClaimLost."""
        self.keep(**given_back(now))

    def report_failure(self) -> None:
        """Make pages show the error that `put_off` saved. Does nothing by default."""


def given_back(now: datetime) -> dict[str, Any]:
    """The columns of a row without a claim."""
    return {"claim": "", "claimed_until": None, "stamped_at": now}
