"""A refused key: rounds keep trying it every five minutes, and nothing else calls the API."""

from datetime import timedelta

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.utils import timezone

from batches import cancel, connect
from batches.mirror import lookup
from batches.models import Batch, Cancellation, Workspace
from batches.worker.kinds import KINDS
from tests.working import read_now

pytestmark = pytest.mark.usefixtures("no_waits")
DUE = {kind.name: kind.due for kind in KINDS}


@pytest.fixture
def refused(sandbox, workspace, mirrored, sync):
    """A workspace whose key was refused once, with a running and an ended batch."""
    mirrored(), mirrored(status="ended")
    sandbox.fail_next("403", times=1)
    assert not sync(workspace)
    return workspace


def test_the_workspace_is_on_hold_with_the_apis_error_and_request_id(refused):
    assert refused.hold == "refused"
    assert "403" in refused.error
    assert refused.request_id.startswith("req_")


def test_a_round_tries_again_after_five_minutes_and_the_workspace_recovers(refused, sync):
    now = timezone.now()

    assert not DUE["sync"](now + timedelta(minutes=2)).exists()
    assert DUE["sync"](now + timedelta(minutes=5, seconds=1)).exists()
    assert sync(refused)
    assert (refused.hold, refused.error) == ("", "")


def test_rounds_try_every_five_minutes_while_the_key_is_refused(refused, sandbox, sync):
    sandbox.fail_next("401", times=99)

    for _ in range(6):
        before = timezone.now()
        sync(refused)
        assert refused.next_attempt_at - before < timedelta(minutes=5, seconds=5)
        assert refused.next_attempt_at - before > timedelta(minutes=4, seconds=55)


def test_only_rounds_call_the_api_while_the_key_is_refused(refused, sandbox, person):
    calls = len(sandbox.calls)
    running, ended = Batch.objects.order_by("-is_active").select_related("workspace")

    cancellation = cancel.cancel_batch(
        running, actor=person("operator", refused), address="", reason=""
    )
    assert not read_now(ended)
    answer = lookup.look_up([refused], "msgbatch_unknown")

    assert len(sandbox.calls) == calls
    assert cancellation.state == "requested"
    assert "refuses the key" in cancellation.error
    assert "refuses the key" in answer.problems[0]
    assert "refuses the key" in ended.reading.error


def test_waiting_work_is_due_at_once_when_the_key_works_again(refused, sync, person):
    running, ended = Batch.objects.order_by("-is_active").select_related("workspace")
    cancel.cancel_batch(running, actor=person("operator", refused), address="", reason="")
    read_now(ended)

    assert sync(refused)

    assert Cancellation.objects.open().due(timezone.now()).exists()
    assert list(DUE["results"](timezone.now())) == [ended]


def test_failed_rounds_do_not_change_when_results_are_read(sandbox, workspace, mirrored, sync):
    batch = mirrored(status="ended")
    sandbox.fail_next("404", times=3, path="/results")
    read_now(batch)
    waits_until = batch.reading.next_attempt_at
    sandbox.fail_next("500", times=9, path="/v1/messages/batches")
    assert [sync(workspace) for _ in range(3)] == [False] * 3

    assert sync(workspace)

    batch.reading.refresh_from_db()
    assert batch.reading.next_attempt_at == waits_until


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_cancel_with_a_refused_key_waits_and_a_round_is_due(
    sandbox, mirrored, person, workspace, status
):
    batch = mirrored()
    Workspace.objects.update(next_attempt_at=timezone.now() + timedelta(hours=1))
    sandbox.fail_next(status, times=1, path="/cancel")

    cancellation = cancel.cancel_batch(
        batch, actor=person("operator", workspace), address="", reason=""
    )

    assert cancellation.state == "requested"
    assert status in cancellation.error
    # A round finds out at once whether the key is refused for everything.
    assert DUE["sync"](timezone.now()).exists()


def test_a_key_that_cannot_be_decrypted_affects_only_its_workspace(
    sandbox, workspace, other_workspace, sync, settings
):
    sandbox.add_batch(key=sandbox.other_key)
    right = settings.BATCHBOARD_ENCRYPTION_KEYS
    settings.BATCHBOARD_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *right]
    fresh = Workspace.objects.get(pk=other_workspace.pk)
    fresh.api_key = sandbox.other_key
    fresh.save(update_fields=["api_key"])
    settings.BATCHBOARD_ENCRYPTION_KEYS = settings.BATCHBOARD_ENCRYPTION_KEYS[:1]

    assert sync(Workspace.objects.get(pk=other_workspace.pk))
    broken = Workspace.objects.get(pk=workspace.pk)
    assert not sync(broken)

    assert "can't be decrypted" in broken.error
    assert sandbox.key not in broken.error
    assert Batch.objects.count() == 1


def test_a_new_key_replaces_one_that_cannot_be_decrypted(sandbox, workspace, sync, settings):
    settings.BATCHBOARD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    broken = Workspace.objects.get(pk=workspace.pk)
    assert not sync(broken)

    broken.api_key = sandbox.key
    broken.save()

    assert sync(broken)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"is_enabled": False}, "disabled"),
        ({"api_key": ""}, "no API key"),
        ({"hold": "refused"}, "refuses the key"),
        ({"hold": "foreign"}, "another Anthropic workspace"),
    ],
)
def test_an_error_says_why_the_api_is_not_called_for_a_workspace(workspace, columns, words):
    for name, value in columns.items():
        setattr(workspace, name, value)

    with pytest.raises(connect.CannotCall, match=words):
        connect.client_for(workspace)


def test_a_last_sync_in_the_future_is_not_fresh(workspace, sync):
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        assert sync(workspace)

    now = timezone.now()
    assert workspace.is_stale(now)
    # The next round is due at once, not in an hour.
    assert DUE["sync"](now).exists()
    assert sync(workspace)
    assert not workspace.is_stale(timezone.now())
