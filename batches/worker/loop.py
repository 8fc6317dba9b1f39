"""The worker: claims due rows (see `batches.models.claim`) and works on them in threads.

Each kind of work (see `batches.worker.kinds`) has threads of its own, so kinds never wait for each
other. A kind takes rows from the workspaces in turn, so a workspace that hangs or fails does not
delay the others.
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
# How often the worker renews its claims and its own row; a claim lasts six times as long.
BEAT_SECONDS = 5.0
# How long running work may take to end once the worker is asked to stop.
GRACE_SECONDS = 15.0
# Work that takes longer may hang, so it no longer counts against its kind's slots.
SLOW_SECONDS = 2.0
# How long to wait after the database or the loop itself failed.
TROUBLE_WAIT_SECONDS = 1.0
# How long a kind pauses after its query failed.
BROKEN_SECONDS = 30.0
# Python's default is five times as long.
SWITCH_SECONDS = 0.001
# A worker chooses at random from this many times the rows that it has room for.
CANDIDATES = 4
# The owner of rows without a workspace.
NO_OWNER = 0


@dataclass(slots=True)
class Job:
    """One claimed row that a thread works on."""

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
    """Runs work of some kinds until it is asked to stop. Use it from one thread."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.kinds = kinds
        self.stop = threading.Event()
        # Set when a job is over or the worker is to stop, so that neither waits for a tick.
        self.wake = threading.Event()
        self.presence = Presence([kind.name for kind in kinds])
        self.turn = Turn(is_stopping=self.stop.is_set, wait=self.stop.wait, let_go=let_go)
        self.has_begun = False
        self.beat_at = float("-inf")
        self.jobs: list[Job] = []
        # Failed jobs whose error could not be saved yet.
        self.unsaved: list[tuple[Job, str]] = []
        # By kind and workspace: when it was last served, and whether its last job failed.
        self.served: dict[tuple[str, int], float] = {}
        self.failing: set[tuple[str, int]] = set()
        # Kinds whose query failed, and until when they pause.
        self.paused_until: dict[str, float] = {}
        # With `run_once`: rows that were attempted already.
        self.is_once = False
        self.attempted: set[tuple[str, int]] = set()
        self.failures = 0

    def ask_to_stop(self) -> None:
        """May be called from a signal handler, and from any thread."""
        self.stop.set()
        self.wake.set()

    def run(self) -> None:
        """Work until asked to stop. Waits for the database when it fails."""
        # Reading results keeps the interpreter busy; cancellations must not wait long for it.
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
                # One error must not stop the work on all other rows.
                log.exception("worker failed")
                self.stop.wait(TROUBLE_WAIT_SECONDS)
            else:
                self.wake.wait(TICK_SECONDS)
        self._end()

    def run_once(self) -> bool:
        """Attempt each due row once, and rows that become due by that; whether none failed."""
        self.is_once = True
        while not self.stop.is_set():
            self.wake.clear()
            if not self._tick() and not self.jobs:
                break
            self.wake.wait(TICK_SECONDS)
        self._end()
        return not self.failures

    def _tick(self) -> int:
        """Claim and start what is due; returns how many jobs started."""
        close_old_connections()
        if not self.has_begun:
            self._begin()
        for job in [job for job in self.jobs if job.is_over]:
            self.jobs.remove(job)
            self._note(job)
        if time.monotonic() - self.beat_at > BEAT_SECONDS:
            self._beat()
        while self.unsaved:
            self._put_off(*self.unsaved[0])
            self.unsaved.pop(0)
        return sum(map(self._fill_safely, self.kinds))

    def _begin(self) -> None:
        self.presence.begin()
        adopt_environment()
        # Someone who restarts the worker wants to see at once whether it works.
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
        """Fill the kind; an error of its query must not stop the other kinds."""
        if self.paused_until.get(kind.name, 0.0) > time.monotonic():
            return 0
        try:
            return self._fill(kind)
        except Error:
            raise
        except Exception:
            log.exception("kind of work failed", kind=kind.name)
            self.paused_until[kind.name] = time.monotonic() + BROKEN_SECONDS
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
        """Rows to claim, with their workspaces: in turn, the least recently served first."""
        due = kind.due(now)
        busy = {job.key for job in running} | {
            key for name, key in self.attempted if name == kind.name
        }
        if not kind.owner:
            return dict.fromkeys(some_of(due, free, busy), NO_OWNER)
        queues = []
        for owner in self._owners(kind, due):
            room = min(free, self._room(kind, running, owner))
            if room > 0:
                keys = some_of(due.filter(**{kind.owner: owner}), room, busy)
                queues.append([(key, owner) for key in keys])
        by_turns = chain.from_iterable(zip_longest(*queues))
        return dict([pair for pair in by_turns if pair][:free])

    def _owners(self, kind: Kind, due: QuerySet[Any]) -> list[int]:
        """Workspaces with due work that may be called, the least recently served first."""
        usable = Workspace.objects.order_by()
        usable = usable.usable_here() if kind.owner == "pk" else usable.callable()
        waiting = due.order_by().filter(**{kind.owner: OuterRef("pk")})
        owners = usable.filter(Exists(waiting)).values_list("pk", flat=True)
        return sorted(owners, key=lambda pk: (self.served.get((kind.name, pk), 0.0), pk))

    def _room(self, kind: Kind, running: list[Job], owner: int) -> int:
        """How many more rows of the workspace may run.

        Some places are reserved for workspaces that answer quickly. Slow and failing ones share the
        rest, and a workspace whose last row failed gets a single place.
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
        # A daemon, so that a hanging thread cannot keep the process from ending.
        thread = threading.Thread(target=self._work, args=[job], name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            log.warning("thread not started", kind=job.kind.name, row=job.key, error=str(error))
            self.unsaved.append((job, "The machine cannot start another thread."))
        else:
            self.jobs.append(job)

    def _work(self, job: Job) -> None:
        """Work on the row, in a thread of its own. Any error is saved on the row."""
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
        # An expected failure is already saved on the row.
        job.has_failed = row.attempts > attempts
        if self.is_once and row.next_attempt_at is not None:
            self.attempted.add((job.kind.name, job.key))

    def _fail(self, job: Job, error: str) -> None:
        job.has_failed = True
        if self.is_once:
            self.attempted.add((job.kind.name, job.key))
        try:
            self._put_off(job, error)
        except Error:
            # Saved once the database answers again.
            self.unsaved.append((job, error))

    def _put_off(self, job: Job, error: str) -> None:
        row = job.kind.rows.filter(pk=job.key, claim=job.claim).first()
        if row is None:
            return
        # Another worker may have claimed the row since; this one must not write to it then.
        with suppress(ClaimLost):
            row.put_off(clock.now(), error)
            row.report_failure()

    def _end(self) -> None:
        """Wait for running jobs for GRACE_SECONDS, then release the other rows."""
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
    """Some of the rows that have waited longest, by primary key.

    Not just the first ones, because several workers at once would all choose the same rows.
    """
    keys = due.values_list("pk", flat=True)[: CANDIDATES * count + len(busy)]
    waiting = [key for key in keys if key not in busy]
    return random.sample(waiting, min(count, len(waiting)))


def let_go() -> None:
    """Close this thread's database connection, so that a hanging API call does not keep one."""
    if not connection.in_atomic_block:
        with suppress(Error):
            connections.close_all()
