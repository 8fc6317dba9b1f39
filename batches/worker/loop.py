"""The worker: runs all work that rows say is due (see `batches.models.claim`).

Each kind (see `batches.worker.kinds`) has threads of its own, so that none waits for another. It
takes its rows from the workspaces in turn, so that one that hangs or fails costs the others
nothing.
"""

import random
import sys
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any

import structlog
from django.db import (
    Error,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    connections,
)
from django.db.models import Exists, OuterRef, QuerySet

from batches import clock
from batches.mirror.workspaces import adopt_environment
from batches.models import ClaimLost, Workspace
from batches.turn import Turn
from batches.worker.kinds import Kind
from batches.worker.presence import Presence

log = structlog.get_logger(__name__)

# How soon a due row is noticed.
TICK_SECONDS = 0.5
# How often claims are renewed and the worker says that it lives; a claim lasts six times as long.
BEAT_SECONDS = 5.0
# How long running work gets to end once the worker is told to.
GRACE_SECONDS = 15.0
# Work that takes longer than this may be hanging, and no longer counts against a kind's slots.
SLOW_SECONDS = 2.0
# How long to wait after the database, or the loop itself, failed.
TROUBLE_WAIT_SECONDS = 1.0
# How long a kind of work rests whose query is broken.
BROKEN_SECONDS = 30.0
# Python's own is five times as long.
SWITCH_SECONDS = 0.001
# Of so many times the rows that it has room for, a worker takes some.
LOOKED_AT = 4
# The owner of rows that belong to no workspace.
NOBODY = 0


@dataclass(slots=True)
class Job:
    """One claimed row, and the thread that works on it."""

    kind: Kind
    key: int
    claim: str
    owner: int
    began: float = field(default_factory=time.monotonic)
    is_over: bool = False
    has_failed: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def is_slow(self) -> bool:
        return self.seconds > SLOW_SECONDS


class Worker:
    """Runs work of some kinds until it is asked to stop. Used from one thread."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.kinds = kinds
        self.stop = threading.Event()
        # Set when a job is over or the worker is to stop, so that nothing waits for a tick.
        self.wake = threading.Event()
        self.presence = Presence([kind.name for kind in kinds])
        self.turn = Turn(is_stopping=self.stop.is_set, wait=self.stop.wait, let_go=let_go)
        self.has_begun = False
        self.beat_at = float("-inf")
        self.jobs: list[Job] = []
        # Jobs whose failure the database could not take, with the error.
        self.unsaid: list[tuple[Job, str]] = []
        # By kind and workspace: when it last got a turn, and whether its last job went badly.
        self.served: dict[tuple[str, int], float] = {}
        self.failing: set[tuple[str, int]] = set()
        # Kinds whose query is broken, and until when they rest.
        self.broken_until: dict[str, float] = {}
        # With `run_once`: rows that had their attempt.
        self.is_once = False
        self.had: set[tuple[str, int]] = set()
        self.failures = 0

    def ask_to_stop(self) -> None:
        """May be called from a signal handler, and from any thread."""
        self.stop.set()
        self.wake.set()

    def run(self) -> None:
        """Work until asked to stop. A database that fails is waited for."""
        # Readers keep the interpreter busy; a cancellation must not wait long for its turn.
        sys.setswitchinterval(SWITCH_SECONDS)
        while not self.stop.is_set():
            self.wake.clear()
            try:
                self._tick()
            except Error as error:
                log.warning("database failed", error=str(error))
                let_go()
                self.stop.wait(TROUBLE_WAIT_SECONDS)
            except Exception:
                # It must not end the work of all other rows.
                log.exception("worker failed")
                self.stop.wait(TROUBLE_WAIT_SECONDS)
            else:
                self.wake.wait(TICK_SECONDS)
        self._end()

    def run_once(self) -> bool:
        """Attempt what is due once, and what becomes due by that; whether nothing failed."""
        self.is_once = True
        while not self.stop.is_set():
            self.wake.clear()
            if not self._tick() and not self.jobs:
                break
            self.wake.wait(TICK_SECONDS)
        self._end()
        return not self.failures

    def _tick(self) -> int:
        """Claim what is due and start it; how many jobs began."""
        close_old_connections()
        if not self.has_begun:
            self._begin()
        for job in [job for job in self.jobs if job.is_over]:
            self.jobs.remove(job)
            self._note(job)
        if time.monotonic() - self.beat_at > BEAT_SECONDS:
            self._beat()
        while self.unsaid:
            self._put_off(*self.unsaid[0])
            self.unsaid.pop(0)
        return sum(map(self._fill_safely, self.kinds))

    def _begin(self) -> None:
        self.presence.begin()
        adopt_environment()
        # A person who restarts wants to see now whether it works.
        Workspace.objects.usable_here().update(next_attempt_at=None)
        self.has_begun = True

    def _note(self, job: Job) -> None:
        self.failures += job.has_failed
        place = job.kind.name, job.owner
        if job.has_failed:
            self.failing.add(place)
        else:
            self.failing.discard(place)

    def _beat(self) -> None:
        now = clock.now()
        self.presence.beat(now)
        for kind in self.kinds:
            held = [job for job in self.jobs if job.kind is kind and job.seconds < kind.longest]
            if held:
                kind.rows.renew({job.key: job.claim for job in held}, now)
        self.beat_at = time.monotonic()

    def _fill_safely(self, kind: Kind) -> int:
        """A kind whose query is broken must not end the work of the others."""
        if self.broken_until.get(kind.name, 0.0) > time.monotonic():
            return 0
        try:
            return self._fill(kind)
        except Error:
            raise
        except Exception:
            log.exception("kind of work failed", kind=kind.name)
            self.broken_until[kind.name] = time.monotonic() + BROKEN_SECONDS
            self.failures += 1
            return 0

    def _fill(self, kind: Kind) -> int:
        running = [job for job in self.jobs if job.kind is kind]
        free = min(kind.slots - sum(not job.is_slow for job in running), kind.most - len(running))
        if free <= 0 or self.stop.is_set():
            return 0
        now = clock.now()
        chosen = self._choose(kind, running, free, now)
        if not chosen:
            return 0
        claim, keys = kind.rows.take(chosen, now, owner=self.presence.name)
        for key in keys:
            self._start(Job(kind, key, claim, chosen[key]))
        return len(keys)

    def _choose(self, kind: Kind, running: list[Job], free: int, now: datetime) -> dict[int, int]:
        """Rows to claim, with their workspaces: one of each by turns, the least served first."""
        due = kind.due(now)
        busy = {job.key for job in running} | {key for name, key in self.had if name == kind.name}
        if not kind.owner:
            return dict.fromkeys(some_of(due, free, busy), NOBODY)
        queues = []
        for owner in self._owners(kind, due):
            room = min(free, self._room(kind, running, owner))
            if room > 0:
                mine = some_of(due.filter(**{kind.owner: owner}), room, busy)
                queues.append([(key, owner) for key in mine])
        by_turns = chain.from_iterable(zip_longest(*queues))
        return dict([pair for pair in by_turns if pair][:free])

    def _owners(self, kind: Kind, due: QuerySet[Any]) -> list[int]:
        """Workspaces with due work that may be called, the least lately served first."""
        usable = Workspace.objects.order_by()
        usable = usable.usable_here() if kind.owner == "pk" else usable.callable()
        waiting = due.order_by().filter(**{kind.owner: OuterRef("pk")})
        owners = usable.filter(Exists(waiting)).values_list("pk", flat=True)
        return sorted(owners, key=lambda pk: (self.served.get((kind.name, pk), 0.0), pk))

    def _room(self, kind: Kind, running: list[Job], owner: int) -> int:
        """How many more rows of the workspace may run.

        Some places are kept for workspaces that answer quickly. The others share the rest, and
        one whose last row failed gets a single one.
        """
        failing = {pk for name, pk in self.failing if name == kind.name}
        troubled = failing | {job.owner for job in running if job.is_slow}
        if owner not in troubled:
            return kind.slots
        has = sum(job.owner == owner for job in running)
        taken = sum(job.owner in troubled for job in running)
        allowed = 1 if owner in failing else kind.slots
        return min(allowed - has, kind.most - kind.slots - taken)

    def _start(self, job: Job) -> None:
        self.served[job.kind.name, job.owner] = time.monotonic()
        name = f"{job.kind.name} {job.key}"
        # A daemon: one that hangs must not keep the process from ending.
        thread = threading.Thread(target=self._work, args=[job], name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            log.warning("no thread", kind=job.kind.name, row=job.key, error=str(error))
            self.unsaid.append((job, "The machine has no thread to spare."))
        else:
            self.jobs.append(job)

    def _work(self, job: Job) -> None:
        """In a thread of its own. Whatever goes wrong belongs to the row."""
        try:
            self._do(job)
        except ClaimLost:
            log.warning("claim lost", kind=job.kind.name, row=job.key)
        except (OperationalError, InterfaceError) as error:
            log.warning("database failed", kind=job.kind.name, row=job.key, error=str(error))
            self._fail(job, f"The database failed: {error}")
        except Exception as error:
            log.exception("work failed", kind=job.kind.name, row=job.key)
            self._fail(job, f"Batchboard failed: {type(error).__name__}: {error}")
        finally:
            let_go()
            job.is_over = True
            self.wake.set()

    def _do(self, job: Job) -> None:
        rows = job.kind.rows.filter(pk=job.key, claim=job.claim)
        row = (rows.select_related(*job.kind.related) if job.kind.related else rows).first()
        if row is None:
            raise ClaimLost
        attempts = row.attempts
        job.kind.run(row, self.turn)
        # What went wrong as foreseen stands on the row.
        job.has_failed = row.attempts > attempts
        if self.is_once and row.next_attempt_at is not None:
            self.had.add((job.kind.name, job.key))

    def _fail(self, job: Job, error: str) -> None:
        job.has_failed = True
        if self.is_once:
            self.had.add((job.kind.name, job.key))
        try:
            self._put_off(job, error)
        except Error:
            # Said once the database answers again.
            self.unsaid.append((job, error))

    def _put_off(self, job: Job, error: str) -> None:
        row = job.kind.rows.filter(pk=job.key, claim=job.claim).first()
        if row is None:
            return
        # The row may be another's by now, and then it is not ours to write to.
        with suppress(ClaimLost):
            row.put_off(clock.now(), error)
            row.report_failure()

    def _end(self) -> None:
        """Let running jobs end, for a while, and give back what is left."""
        ends_at = time.monotonic() + GRACE_SECONDS
        while any(not job.is_over for job in self.jobs) and time.monotonic() < ends_at:
            self.wake.clear()
            self.wake.wait(0.1)
        for job in self.jobs:
            self._note(job)
        with suppress(Error):
            self.presence.end()
        let_go()


def some_of(due: QuerySet[Any], count: int, busy: Collection[int] = ()) -> list[int]:
    """Some rows of those that have waited longest, by primary key.

    Not just the first ones: several workers that look at once would all want the same.
    """
    keys = due.values_list("pk", flat=True)[: LOOKED_AT * count + len(busy)]
    waiting = [key for key in keys if key not in busy]
    return random.sample(waiting, min(count, len(waiting)))


def let_go() -> None:
    """Close this thread's database connection: a hanging call must not keep one."""
    if not connection.in_atomic_block:
        with suppress(Error):
            connections.close_all()
