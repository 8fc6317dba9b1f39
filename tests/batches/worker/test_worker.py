"""The worker's loop with real threads: rows, kinds and workspaces don't affect each other."""

import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DataError, OperationalError
from django.utils import timezone

from batches import clock
from batches.models import Chore, WorkerProcess, Workspace
from batches.worker.loop import Worker
from batches.worker.presence import Presence, place, started
from tests.batches.worker.work import attempts, chore_kind, done, is_done, make_workspaces, rounds
from tests.processes.crew import wait_until


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), MemoryError(), DataError("bad value"), KeyError("missing")]
)
def test_an_exception_affects_only_its_row(working, chores, caplog, error):
    chores("broken", "good")

    def run(row, turn) -> None:
        if row.name == "broken":
            raise error
        done(row)

    working(chore_kind(run))

    wait_until(lambda: is_done("good") and attempts("broken"), seconds=10, what="both attempts")
    broken = Chore.objects.get(name="broken")
    assert type(error).__name__ in broken.error
    assert broken.claim == ""
    assert broken.next_attempt_at > timezone.now()
    assert "Traceback" in caplog.text


def test_a_broken_row_is_not_tried_in_a_tight_loop(working, chores):
    chores("broken", "good")
    calls = []

    def run(row, turn) -> None:
        calls.append(row.name)
        if row.name == "broken":
            raise ValueError
        row.done(timezone.now(), seconds=0.0)

    working(chore_kind(run))

    wait_until(lambda: calls.count("good") >= 5, seconds=20, what="five good attempts")
    assert calls.count("broken") == 1


def test_a_row_may_be_deleted_during_its_work(working, chores):
    chores("deleted", "good")

    def run(row, turn) -> None:
        if row.name == "deleted":
            Chore.objects.filter(pk=row.pk).delete()
        done(row)

    worker = working(chore_kind(run))

    wait_until(lambda: is_done("good"), seconds=10, what="the other row")
    wait_until(lambda: not worker.jobs, seconds=10, what="an idle worker")


def test_the_loop_waits_for_a_database_that_fails(working, chores):
    chores("good")
    failures = [OperationalError("database is locked")] * 3

    def due(now):
        if failures:
            raise failures.pop()
        return Chore.objects.due(now)

    working(replace(chore_kind(done), due=due))

    wait_until(lambda: is_done("good"), seconds=20, what="work after the failures")


def test_a_broken_query_does_not_stop_other_kinds(working, chores):
    chores("good")

    def broken(now):
        raise TypeError("a bug in the query")

    working(replace(chore_kind(done), name="broken", due=broken), chore_kind(done))

    wait_until(lambda: is_done("good"), seconds=20, what="the other kind's work")


def test_a_failure_that_cannot_be_saved_is_saved_later(working, chores, monkeypatch):
    chores("unlucky")
    put_off = Chore.put_off
    refusals = [OperationalError("disk full")] * 2

    def full_disk(row, *args, **options):
        if refusals:
            raise refusals.pop()
        return put_off(row, *args, **options)

    monkeypatch.setattr(Chore, "put_off", full_disk)

    def run(row, turn) -> None:
        raise ValueError("a bug")

    working(chore_kind(run))

    wait_until(lambda: attempts("unlucky") == 1, seconds=20, what="the failure on the row")
    assert "a bug" in Chore.objects.get().error


def test_a_claim_is_renewed_for_as_long_as_the_work_takes(working, chores, monkeypatch):
    monkeypatch.setattr("batches.worker.loop.BEAT_SECONDS", 0.1)
    chores("long")
    over = threading.Event()
    working(chore_kind(lambda row, turn: over.wait(20) and done(row)))
    wait_until(lambda: Chore.objects.get().claim, seconds=10, what="a claim")
    first = Chore.objects.get().claimed_until

    wait_until(lambda: Chore.objects.get().claimed_until > first, seconds=10, what="a renewal")

    over.set()
    wait_until(lambda: is_done("long"), seconds=10, what="the end of the work")


def test_a_worker_that_is_asked_to_stop_releases_its_claims(working, chores):
    chores("hangs")
    hanging = threading.Event()
    worker = Worker([chore_kind(lambda row, turn: hanging.wait(30))])
    thread = threading.Thread(target=worker.run)
    thread.start()
    wait_until(lambda: Chore.objects.get().claim, seconds=10, what="a claim")

    with seconds_of_grace(0.2):
        worker.ask_to_stop()
        thread.join(timeout=10)

    assert not thread.is_alive()
    assert Chore.objects.due(timezone.now()).exists()
    assert WorkerProcess.objects.get().ended_at
    hanging.set()


@contextmanager
def seconds_of_grace(seconds: float):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batches.worker.loop.GRACE_SECONDS", seconds)
        yield


def test_work_that_can_stop_is_asked_to(working, chores):
    chores("long")
    stopped = threading.Event()

    def run(row, turn) -> None:
        turn.wait(30)
        assert turn.is_stopping()
        row.hand_back(timezone.now())
        stopped.set()

    worker = working(chore_kind(run))
    wait_until(lambda: Chore.objects.get().claim, seconds=10, what="a claim")

    worker.ask_to_stop()

    assert stopped.wait(10)


def test_a_worker_releases_the_claims_of_a_dead_one(working, chores):
    [row] = chores("held")
    now = clock.now()
    WorkerProcess.objects.create(
        name="dead", place=place(), pid=2**22 + 1, kinds=",chores,", started_at=now, seen_at=now
    )
    Chore.objects.take([row.pk], now, owner="dead")

    working(chore_kind(done))

    # Long before the claim expires.
    wait_until(lambda: is_done("held"), seconds=10, what="the row")
    assert WorkerProcess.objects.get(name="dead").ended_at


@pytest.mark.parametrize("where", [None, "another machine"])
def test_a_worker_that_runs_here_or_elsewhere_keeps_its_claims(committed, chores, where):
    [row] = chores("held")
    now = clock.now()
    living = os.getppid()
    WorkerProcess.objects.create(
        name="alive", place=where or place(), pid=living if where is None else 2**22 + 1,
        process_started=started(living) if where is None else "", kinds=",chores,",
        started_at=now, seen_at=now,
    )  # fmt: skip
    Chore.objects.take([row.pk], now, owner="alive")

    Presence(["chores"]).begin()

    assert not Chore.objects.due(now).exists()


def test_a_running_worker_counts_for_its_kinds_of_work(working, chores):
    worker = working(chore_kind(done))
    wait_until(WorkerProcess.objects.exists, seconds=10, what="a sign of life")

    seen = WorkerProcess.objects.last_seen()

    assert set(seen) == {"chores"}
    assert clock.now() - seen["chores"] < timedelta(seconds=10)
    assert WorkerProcess.objects.get().name == worker.presence.name


def test_a_worker_that_starts_syncs_every_workspace_at_once(working, committed):
    make_workspaces(1)
    Workspace.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=5), hold="refused")
    asked = threading.Event()

    working(rounds(lambda row, turn: asked.set() or done(row)))

    assert asked.wait(10)
