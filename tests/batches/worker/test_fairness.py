"""A workspace that hangs, fails or has much work doesn't delay the others."""

import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from django.utils import timezone

from batches import clock
from batches.models import Cancellation, Chore, Workspace
from batches.worker.kinds import Kind
from tests.batches.worker.work import BY_NAME, chore_kind, done, is_done, make_workspaces, rounds
from tests.processes.crew import wait_until


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
def test_workspaces_that_hang_do_not_slow_a_healthy_one(working, count):
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
    # Within a few seconds the first rows count as slow, and no longer take places.
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


def test_much_work_of_one_workspace_does_not_delay_others(working, mirrored, other_workspace):
    """The other workspace's row is among the first eight of a hundred due rows."""
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


def test_a_workspace_on_hold_or_disabled_is_called_only_by_its_rounds(working, mirrored, workspace):
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
