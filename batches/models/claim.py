"""Work that is waiting in rows: which of it is due, and who does it.

Every kind of work is a table of `Claimable` rows (see `batches.worker.kinds`). A process claims a
row with one conditional UPDATE, renews the claim while it works, and gives it back with the time
of the next attempt. The claim is a fencing token: a process that lost it can't write any more.
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
    """Another process holds the row now: nothing more may be written to it from here."""


def new_claim(owner: str) -> str:
    """A token that no other claim has; `owner` says which process made it."""
    return f"{owner}.{uuid.uuid4().hex}"


def back_off(attempts: int, *, first: float, longest: float) -> float:
    """Seconds to wait after so many failures: doubling, with jitter so that retries spread out."""
    doubled = first * 2.0 ** min(max(attempts - 1, 0), 20)
    return min(doubled, longest) * random.uniform(0.5, 1.0)


class ClaimableQuerySet[T: "Claimable"](models.QuerySet[T]):
    def free(self, now: datetime) -> Self:
        """Held by nobody, or by a process that has not renewed its claim."""
        return self.filter(free(now))

    def due(self, now: datetime) -> Self:
        """Free, and past the time of the next attempt."""
        return self.filter(due(now))

    def take(self, keys: Iterable[int], now: datetime, *, owner: str) -> tuple[str, list[int]]:
        """Claim those of the rows that are still due: the claim, and their primary keys.

        On PostgreSQL rows that another process is just claiming are skipped, not waited for.
        """
        claim = new_claim(owner)
        rows = self.due(now).filter(pk__in=list(keys))
        with transaction.atomic():
            if connection.features.has_select_for_update_skip_locked:
                locked = rows.select_for_update(skip_locked=True, of=("self",)).order_by()
                rows = self.filter(pk__in=list(locked.values_list("pk", flat=True)))
            if not rows.order_by().update(claim=claim, claimed_until=now + CLAIM, stamped_at=now):
                return claim, []
        mine = self.model._default_manager.filter(claim=claim)
        return claim, list(mine.values_list("pk", flat=True))

    def renew(self, claims: Mapping[int, str], now: datetime) -> int:
        """Hold on to rows that are being worked on, by primary key; how many are still held.

        One by one: a statement that locks several rows could wait for another one for ever.
        """
        return sum(
            self.filter(pk=key, claim=claim).update(claimed_until=now + CLAIM, stamped_at=now)
            for key, claim in claims.items()
        )

    def release(self, owner: str, now: datetime) -> int:
        """Free, and make due, everything that a process held which no longer runs."""
        held = self.filter(claim__startswith=f"{owner}.")
        return sum(
            held.filter(pk=key).update(
                claim="", claimed_until=None, next_attempt_at=None, stamped_at=now
            )
            for key in list(held.values_list("pk", flat=True))
        )


def free(now: datetime, prefix: str = "") -> Q:
    """The condition of `ClaimableQuerySet.free`, for a row reached over `prefix`."""
    until, stamped = f"{prefix}claimed_until", f"{prefix}stamped_at"
    return (
        Q(**{until: None})
        | Q(**{f"{until}__lte": now})
        # Written by a clock that was ahead: the time says nothing.
        | Q(**{f"{stamped}__gt": now + MARGIN})
    )


def due(now: datetime, prefix: str = "") -> Q:
    """The condition of `ClaimableQuerySet.due`, for a row reached over `prefix`."""
    at, stamped = f"{prefix}next_attempt_at", f"{prefix}stamped_at"
    is_past = Q(**{at: None}) | Q(**{f"{at}__lte": now}) | Q(**{f"{stamped}__gt": now + MARGIN})
    return free(now, prefix) & is_past


class Claimable(models.Model):
    """A row that stands for work. `next_attempt_at` of None means: as soon as possible."""

    # Seconds to wait after the first failure, and at most.
    FIRST_WAIT: ClassVar[float] = 10.0
    LONGEST_WAIT: ClassVar[float] = 300.0

    claim = models.CharField(max_length=64, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    # When these times were written: if that lies in the future, they are not to be trusted.
    stamped_at = models.DateTimeField(null=True, editable=False)
    # Failed attempts in a row.
    attempts = models.PositiveIntegerField(default=0, editable=False)
    error = models.TextField(blank=True, editable=False)
    error_at = models.DateTimeField(null=True, editable=False)
    # Names the API's last answer, for Anthropic's support.
    request_id = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        abstract = True

    def keep(self, **columns: Any) -> None:
        """Write to the row while the claim is held. Raises ClaimLost."""
        mine = type(self)._default_manager.filter(pk=self.pk, claim=self.claim)
        if not mine.update(**columns):
            raise ClaimLost
        for name, value in columns.items():
            setattr(self, name, value)

    def done(self, now: datetime, *, seconds: float | None = None, **columns: Any) -> None:
        """Give the claim back after a success. Due again in `seconds`; None means at once.

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
        """Give the claim back after a failure: the seconds until the next attempt.

        The wait grows with every failure and is at least `at_least`, but never longer than an
        hour; `seconds` sets it. Raises ClaimLost.
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
        """Give the claim back untouched: the work is as due as before. Raises ClaimLost."""
        self.keep(**given_back(now))

    def report_failure(self) -> None:
        """Let pages that show this row know that its error changed. Nothing, by default."""


def given_back(now: datetime) -> dict[str, Any]:
    """The columns of a row that nobody holds."""
    return {"claim": "", "claimed_until": None, "stamped_at": now}
