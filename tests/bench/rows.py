"""Generated mirrors: as many rows as asked for, without asking any API."""

from datetime import timedelta
from random import Random

from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from batches.models import Batch, Revision, Workspace

OUTCOMES = ("all_succeeded", "some_failed", "canceled", "expired", "all_failed")
ACTIVE = 40


def make_mirror(batches: int) -> Workspace:
    """A workspace of that many batches, 40 of them active, the rest ended over the past weeks."""
    now = timezone.now()
    chance = Random(batches)
    workspace = Workspace.objects.create(
        name="Bench",
        slug="bench",
        base_url="http://127.0.0.1:9",
        api_key="bench",
        last_synced_at=now + timedelta(hours=1),
        backfilled_at=now,
        latest_revision=batches,
    )
    for first in range(0, batches, 500):
        numbers = range(first, min(first + 500, batches))
        Batch.objects.bulk_create([row(workspace, number, now, chance) for number in numbers])
    Revision.objects.filter(pk=1).update(value=batches)
    return workspace


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


def signed_in(workspace: Workspace) -> Client:
    """A browser with an operator's session."""
    user = User.objects.create_user("bench")
    user.groups.add(Group.objects.get(name="operator"))
    workspace.members.add(user)
    client = Client()
    client.force_login(user, backend="dashboard.roles.RoleBackend")
    return client
