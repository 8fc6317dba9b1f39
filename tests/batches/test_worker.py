"""The worker's loop, with real threads: what one row, kind or workspace does to the others."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import DataError, OperationalError, connection
from django.utils import timezone

from batches import clock
from batches.kinds import KINDS, Kind
from batches.models import Cancellation, Chore, WorkerProcess, Workspace
from batches.models.claim import ClaimableQuerySet
from batches.presence import Presence, place, started
from batches.worker import Worker
from tests.processes.crew import wait_until

BY_NAME = {kind.name: kind for kind in KINDS}


@pytest.fixture
def working(committed):
    """A function that starts a worker for these kinds in a thread; it is stopped at the end."""
    begun = []

    def start(*kinds: Kind) -> Worker:
        worker = Worker(kinds)
        thread = threading.Thread(target=worker.run)
        thread.start()
        begun.append((worker, thread))
        return worker

    yield start
    for worker, thread in begun:
        worker.ask_to_stop()
        thread.join(timeout=20)
        assert not thread.is_alive(), "the worker did not end"
    connection.close()


@pytest.fixture
def chores(committed) -> Callable[..., list[Chore]]:
    return lambda *names: [Chore.objects.create(name=name) for name in names]


def chore_kind(run, **options) -> Kind:
    def due(now) -> ClaimableQuerySet[Chore]:
        return Chore.objects.due(now).order_by("id")

    return Kind("chores", Chore, due, run, **({"slots": 4, "most": 8} | options))


def rounds(run, **options) -> Kind:
    """The real query for due rounds, with other work."""
    return replace(BY_NAME["sync"], run=run, **options)


def make_workspaces(count: int, *, name: str = "w") -> list[Workspace]:
    return [
        Workspace.objects.create(name=f"{name}{n}", slug=f"{name}{n}", api_key="sk-ant-x")
        for n in range(count)
    ]


def done(row, _turn=None) -> None:
    row.done(timezone.now(), seconds=3600)


def attempts(name: str) -> int:
    return Chore.objects.values_list("attempts", flat=True).get(name=name)


def is_done(*names: str) -> bool:
    rows = Chore.objects.filter(name__in=names, next_attempt_at__isnull=False, attempts=0)
    return rows.count() == len(names)


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), MemoryError(), DataError("bad value"), KeyError("missing")]
)
def test_an_exception_belongs_to_its_row_and_changes_nothing_for_others(
    working, chores, caplog, error
):
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


def test_a_row_that_is_deleted_under_the_work_harms_nothing(working, chores):
    chores("deleted", "good")

    def run(row, turn) -> None:
        if row.name == "deleted":
            Chore.objects.filter(pk=row.pk).delete()
        done(row)

    worker = working(chore_kind(run))

    wait_until(lambda: is_done("good"), seconds=10, what="the other row")
    wait_until(lambda: not worker.jobs, seconds=10, what="an idle worker")


def test_a_database_that_fails_in_the_loop_is_waited_for(working, chores):
    chores("good")
    failures = [OperationalError("database is locked")] * 3

    def due(now):
        if failures:
            raise failures.pop()
        return Chore.objects.due(now)

    working(replace(chore_kind(done), due=due))

    wait_until(lambda: is_done("good"), seconds=20, what="work after the failures")


def test_a_query_that_is_broken_stops_no_other_kind(working, chores):
    chores("good")

    def broken(now):
        raise TypeError("a bug in the query")

    working(replace(chore_kind(done), name="broken", due=broken), chore_kind(done))

    wait_until(lambda: is_done("good"), seconds=20, what="the other kind's work")


def test_a_failure_that_the_database_cannot_take_is_said_later(working, chores, monkeypatch):
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
    monkeypatch.setattr("batches.worker.BEAT_SECONDS", 0.1)
    chores("long")
    over = threading.Event()
    working(chore_kind(lambda row, turn: over.wait(20) and done(row)))
    wait_until(lambda: Chore.objects.get().claim, seconds=10, what="a claim")
    first = Chore.objects.get().claimed_until

    wait_until(lambda: Chore.objects.get().claimed_until > first, seconds=10, what="a renewal")

    over.set()
    wait_until(lambda: is_done("long"), seconds=10, what="the end of the work")


def test_kinds_never_wait_for_each_other(working, chores):
    chores("a", "b", "c")
    hanging = threading.Event()
    slow = Kind(
        "slow", Workspace, Workspace.objects.due,
        lambda row, turn: hanging.wait(20), owner="pk", slots=1, most=1,
    )  # fmt: skip
    make_workspaces(3)

    working(slow, chore_kind(done))

    wait_until(lambda: is_done("a", "b", "c"), seconds=5, what="the quick kind's work")
    hanging.set()


@pytest.mark.parametrize("count", [10, 80])
def test_workspaces_that_hang_leave_a_healthy_one_at_its_pace(working, count):
    make_workspaces(count, name="hangs")
    [healthy] = make_workspaces(1, name="z-healthy")
    over = threading.Event()
    rounds_at: list[float] = []

    def run(workspace, turn) -> None:
        turn.let_go()
        if workspace.pk != healthy.pk:
            over.wait(30)
            return
        rounds_at.append(time.monotonic())
        workspace.done(timezone.now(), seconds=0.5)

    began = time.monotonic()
    working(rounds(run))

    wait_until(lambda: len(rounds_at) >= 5, seconds=60, what="five rounds of the healthy one")
    over.set()
    # The first wave is found out within a few seconds; after it nothing stands in the way.
    gaps = [later - sooner for sooner, later in pairwise(rounds_at[1:])]
    assert max(gaps) < 3.0
    assert rounds_at[0] - began < 30


def test_workspaces_that_failed_before_never_take_every_place(working):
    hanging = {workspace.pk for workspace in make_workspaces(12, name="hangs")}
    [healthy] = make_workspaces(1, name="z-healthy")
    over, served = threading.Event(), threading.Event()
    failed: set[int] = set()

    def run(workspace, turn) -> None:
        if workspace.pk == healthy.pk:
            served.set()
            workspace.done(timezone.now(), seconds=0.1)
        elif workspace.pk in failed:
            over.wait(30)
        else:
            failed.add(workspace.pk)
            workspace.put_off(timezone.now(), "no answer", seconds=2.0)

    worker = working(rounds(run, slots=2, most=6))
    wait_until(lambda: failed == hanging, seconds=30, what="a first failure of each")
    wait_until(lambda: sum(job.is_slow for job in worker.jobs) >= 4, seconds=30, what="hanging")

    served.clear()
    assert served.wait(5)
    over.set()


def test_a_cancellation_is_attempted_within_two_seconds_while_everything_else_hangs(
    working, mirrored, person, workspace
):
    batch = mirrored()
    make_workspaces(80, name="hangs")
    over = threading.Event()
    attempted = threading.Event()

    def hang(row, turn) -> None:
        turn.let_go()
        over.wait(30)

    def attempt(cancellation, turn) -> None:
        attempted.set()
        cancellation.done(timezone.now(), seconds=3600)

    worker = working(
        replace(BY_NAME["cancel"], run=attempt),
        rounds(hang),
        replace(BY_NAME["results"], run=hang),
    )
    wait_until(lambda: len(worker.jobs) >= 8, seconds=20, what="hanging rounds")

    Cancellation.objects.create(
        batch=batch, batch_api_id=batch.api_id, requested_by_name="ada", requested_at=clock.now(),
        **{f"{name}_at_request": 0 for name in (
            "processing", "succeeded", "errored", "canceled", "expired")},
    )  # fmt: skip

    assert attempted.wait(2.0)
    over.set()


def test_a_flood_of_one_workspace_leaves_others_their_turn(working, mirrored, other_workspace):
    """Of a hundred due rows the other workspace's one is among the first eight."""
    order: list[int] = []
    mine = [mirrored() for _ in range(20)]
    [theirs] = [mirrored()]
    theirs.workspace = other_workspace
    theirs.save(update_fields=["workspace"])
    for batch in (*mine, theirs):
        Cancellation.objects.create(
            batch=batch, batch_api_id=batch.api_id, requested_by_name="ada",
            requested_at=clock.now(),
            **{f"{name}_at_request": 0 for name in (
                "processing", "succeeded", "errored", "canceled", "expired")},
        )  # fmt: skip

    def attempt(cancellation, turn) -> None:
        order.append(cancellation.batch_id)
        cancellation.done(timezone.now(), seconds=3600)

    working(replace(BY_NAME["cancel"], run=attempt, slots=2, most=2))

    wait_until(lambda: len(order) == 21, seconds=20, what="all of them")
    assert theirs.pk in order[:8]


def test_a_workspace_on_hold_or_disabled_is_asked_by_nothing_but_its_rounds(
    working, mirrored, workspace
):
    mirrored(status="ended")
    Workspace.objects.update(hold="refused")
    seen: list[str] = []

    def see(kind: str):
        return lambda row, turn: seen.append(kind) or done(row)

    working(
        replace(BY_NAME["results"], run=see("results")), rounds(see("sync")),
        chore_kind(done),
    )  # fmt: skip
    Chore.objects.create(name="marker")
    wait_until(lambda: is_done("marker") and seen, seconds=10, what="a round")

    assert seen == ["sync"]


def test_a_process_without_the_environments_key_leaves_that_workspace_alone(
    working, settings, committed
):
    settings.ANTHROPIC_API_KEY = ""
    theirs = Workspace.objects.create(name="Env", slug="env", from_environment=True)
    [mine] = make_workspaces(1)
    working(rounds(lambda row, turn: done(row)))

    wait_until(
        lambda: Workspace.objects.get(pk=mine.pk).next_attempt_at, seconds=10, what="a round"
    )

    theirs.refresh_from_db()
    assert (theirs.attempts, theirs.error, theirs.claim) == (0, "", "")


def test_when_told_to_stop_it_gives_back_what_it_holds(working, chores):
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
        patch.setattr("batches.worker.GRACE_SECONDS", seconds)
        yield


def test_work_that_can_stop_is_told_to(working, chores):
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


def test_a_worker_frees_what_its_dead_predecessor_held(working, chores):
    [row] = chores("held")
    now = clock.now()
    WorkerProcess.objects.create(
        name="dead", place=place(), pid=2**22 + 1, kinds=",chores,", started_at=now, seen_at=now
    )
    Chore.objects.take([row.pk], now, owner="dead")

    working(chore_kind(done))

    # Far sooner than the claim lapses.
    wait_until(lambda: is_done("held"), seconds=10, what="the row")
    assert WorkerProcess.objects.get(name="dead").ended_at


@pytest.mark.parametrize("where", [None, "another machine"])
def test_a_worker_that_lives_or_runs_elsewhere_keeps_its_claims(committed, chores, where):
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


def test_it_is_seen_by_its_kinds_of_work_for_as_long_as_it_lives(working, chores):
    worker = working(chore_kind(done))
    wait_until(WorkerProcess.objects.exists, seconds=10, what="a sign of life")

    seen = WorkerProcess.objects.last_seen()

    assert set(seen) == {"chores"}
    assert clock.now() - seen["chores"] < timedelta(seconds=10)
    assert WorkerProcess.objects.get().name == worker.presence.name


def test_a_start_asks_every_workspace_at_once(working, committed):
    make_workspaces(1)
    Workspace.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=5), hold="refused")
    asked = threading.Event()

    working(rounds(lambda row, turn: asked.set() or done(row)))

    assert asked.wait(10)
