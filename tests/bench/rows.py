"""Generates mirrors of any size without an API."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched
from random import Random

from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from batches import models
from batches.models import Batch, BatchUsage, Revision, WorkerProcess, Workspace

OUTCOMES = ("all_succeeded", "some_failed", "canceled", "expired", "all_failed")
ACTIVE = 40
SPEND_DAYS = 60
# Part of an ID, in many labels, in some, in notes, an owner, two words, a model, and nowhere.
SEARCHES = (
    *("0000123456", "nightly", "eval+17", "team+42", "person3", "nightly+person7"),
    *("haiku", "zzzzzz"),
)
# Lengths of prompts with prices of their own, as in the built-in prices.
BRACKETS = (
    {"prompt_over": 0, "prompt_up_to": 100_000},
    {"prompt_over": 100_000, "prompt_up_to": 200_000},
)
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-1")


def make_mirror(batches: int) -> Workspace:
    """A workspace of that many batches, 40 of them active, the rest ended over the past weeks."""
    now = timezone.now()
    chance = Random(batches)
    workspace = Workspace.objects.create(
        name="Bench",
        slug="bench",
        base_url="http://127.0.0.1:9",
        api_key="bench",
        last_synced_at=now,
        interval_seconds=3600,
        backfilled_at=now,
        latest_revision=batches,
    )
    for first in range(0, batches, 500):
        numbers = range(first, min(first + 500, batches))
        made = [row(workspace, number, now, chance) for number in numbers]
        for batch in made:
            describe(batch, chance)
        Batch.objects.bulk_create(made)
        BatchUsage.objects.bulk_create([each for batch in made for each in usage(batch, chance)])
    Revision.objects.filter(pk=1).update(value=batches)
    with_a_worker()
    return workspace


def with_a_worker() -> None:
    """Records a worker that was just seen, and stays so while the measurement runs."""
    models.worker.SEEN_FOR = timedelta(hours=1)
    WorkerProcess.objects.create(
        name="bench", place="here", pid=1, kinds=",sync,", started_at=timezone.now(),
        seen_at=timezone.now(),
    )  # fmt: skip


def row(workspace: Workspace, number: int, now, chance: Random) -> Batch:
    created = now - timedelta(seconds=25 * number)
    is_active = number < ACTIVE
    requests = chance.choice([3, 40, 800, 12_000])
    failed = requests // 10
    batch = Batch(
        workspace=workspace,
        api_id=f"msgbatch_{number:024d}",
        processing_status="in_progress" if is_active else "ended",
        processing=requests if is_active else 0,
        succeeded=0 if is_active else requests - failed,
        errored=0,
        canceled=0,
        expired=0,
        created_at=created,
        expires_at=created + timedelta(hours=24),
        ended_at=None if is_active else created + timedelta(minutes=20),
        raw={"id": f"msgbatch_{number:024d}"},
        revision=number + 1,
        first_revision=number + 1,
        first_seen_at=created,
        changed_at=created,
    )
    if not is_active:
        name = chance.choice(["errored", "canceled", "expired"])
        setattr(batch, name, failed)
    batch.derive()
    return batch


def describe(batch: Batch, chance: Random) -> None:
    """Half of the batches get one of 200 labels and of 20 owners; a few a note, or are read."""
    if chance.random() < 0.5:
        batch.label = f"nightly eval {chance.randrange(200)}"
        batch.owner = f"person{chance.randrange(20)}@example.com"
    if chance.random() < 0.02:
        batch.note = f"Asked for by team {chance.randrange(1000)}."
    if not batch.is_active and chance.random() < 0.2:
        batch.results_state = "read"
        batch.cost_order = chance.randrange(500_000_000)


def make_spend(batches: int) -> list[Workspace]:
    """Two workspaces whose batches of 60 days have been read: 200 labels, 20 owners, 4 models."""
    now = timezone.now()
    chance = Random(batches)
    workspaces = [
        Workspace.objects.create(
            name=f"Bench {name}", slug=f"bench-{name}", base_url="http://127.0.0.1:9", api_key="b"
        )
        for name in ("one", "two")
    ]
    rows = (spent(workspaces[n % 2], n, batches, now, chance) for n in range(batches))
    for some in batched(rows, 2000):
        made = Batch.objects.bulk_create(some)
        BatchUsage.objects.bulk_create([each for batch in made for each in usage(batch, chance)])
    return workspaces


def spent(workspace: Workspace, number: int, batches: int, now: datetime, chance: Random) -> Batch:
    """A batch that ended and was read; a few are still active or unread."""
    batch = row(workspace, number, now, chance)
    batch.created_at = now - timedelta(days=SPEND_DAYS) * (number + 0.5) / batches
    batch.label = f"label {chance.randrange(200)}"
    batch.owner = f"owner {chance.randrange(20)}"
    if not batch.is_active:
        batch.results_state = "pending" if number % 500 == 0 else "read"
    return batch


def usage(batch: Batch, chance: Random) -> Iterator[BatchUsage]:
    """One row of a read batch; three in ten have used a second model."""
    if batch.results_state != "read":
        return
    for model in chance.sample(MODELS, 1 if chance.random() < 0.7 else 2):
        yield BatchUsage(
            batch=batch,
            workspace_id=batch.workspace_id,
            day=batch.created_at.astimezone(UTC).date(),
            is_canceled=batch.is_canceled,
            label=batch.label,
            owner=batch.owner,
            model=model,
            **chance.choices(BRACKETS, weights=[19, 1])[0],
            inference_geo=chance.choice(["", "", "", "us"]),
            requests=batch.succeeded,
            input_tokens=batch.succeeded * chance.randrange(200, 20_000),
            output_tokens=batch.succeeded * chance.randrange(50, 2_000),
            cache_read_tokens=batch.succeeded * chance.randrange(1_000),
        )


def signed_in(*workspaces: Workspace, role: str = "operator") -> Client:
    """A browser with the session of a member of the workspaces."""
    user = User.objects.create_user("bench")
    user.groups.add(Group.objects.get(name=role))
    user.workspaces.add(*workspaces)
    client = Client()
    client.force_login(user, backend="dashboard.roles.RoleBackend")
    return client
