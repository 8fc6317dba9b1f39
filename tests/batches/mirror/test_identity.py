"""Another workspace's key or list stores nothing, deletes nothing and cancels nothing."""

from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from batches import cancel, connect
from batches.mirror.store import OtherWorkspace, store
from batches.mirror.workspaces import accept_list, delete_workspace, deletion_of
from batches.models import AuditEvent, Batch, Cancellation, Workspace
from batches.results import reading
from tests.working import claim, read_now

pytestmark = pytest.mark.usefixtures("no_waits")


@pytest.fixture
def unnamed(sandbox, monkeypatch):
    """The API behind a gateway that drops the header with the Anthropic workspace."""

    class Unnamed(httpx.BaseTransport):
        def __init__(self) -> None:
            self.inner = sandbox.transport()

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = self.inner.handle_request(request)
            response.headers.pop("anthropic-workspace-id", None)
            return response

    connect.forget_clients()
    monkeypatch.setattr(connect, "transport", Unnamed)


@pytest.fixture
def rounds_later(sync):
    """A function that runs rounds of a workspace as if more than five minutes apart."""

    def rounds_later(workspace: Workspace, count: int = 4) -> None:
        for _ in range(count):
            long_ago = timezone.now() - timedelta(minutes=6)
            Batch.objects.exclude(missing_noted_at=None).update(missing_noted_at=long_ago)
            sync(workspace)

    return rounds_later


def set_key(workspace: Workspace, key: str) -> None:
    """Someone sets the workspace's key."""
    Workspace.objects.filter(pk=workspace.pk).update(api_key=key)
    workspace.refresh_from_db()


def rows() -> list[tuple]:
    columns = ("api_id", "processing_status", "results_state", "deleted_upstream_at", "is_active")
    return list(Batch.objects.order_by("api_id").values_list(*columns))


def test_another_workspaces_key_changes_no_rows_and_is_an_error(
    sandbox, workspace, mirrored, sync, rounds_later
):
    mirrored()
    mirrored(status="ended")
    other = sandbox.add_batch(key=sandbox.other_key)
    before = rows()
    set_key(workspace, sandbox.other_key)

    assert not sync(workspace)
    rounds_later(workspace)
    reading.mark_lost(timezone.now())

    assert rows() == before
    assert not Batch.objects.filter(api_id=other).exists()
    assert workspace.hold == "foreign"
    assert sandbox.keys[sandbox.other_key] in workspace.error
    assert workspace.api_workspace_id == sandbox.keys[sandbox.key]


def test_with_another_workspaces_key_nothing_is_canceled_or_read(
    sandbox, workspace, mirrored, sync, person
):
    batch = mirrored()
    ended = mirrored(status="ended")
    set_key(workspace, sandbox.other_key)
    sync(workspace)
    calls = len(sandbox.calls)

    batch.workspace.refresh_from_db()
    cancellation = cancel.cancel_batch(
        batch, actor=person("operator", workspace), address="", reason=""
    )

    assert cancellation.state == "requested"
    assert not read_now(ended)
    assert len(sandbox.calls) == calls


def test_the_right_key_set_again_lets_the_cancellation_go_on(
    sandbox, workspace, mirrored, sync, person
):
    batch = mirrored()
    set_key(workspace, sandbox.other_key)
    sync(workspace)
    batch.workspace.refresh_from_db()
    cancel.cancel_batch(batch, actor=person("operator", workspace), address="", reason="")

    set_key(workspace, sandbox.key)
    assert sync(workspace)

    assert workspace.hold == ""
    # The cancellation that waited is due at once.
    due = Cancellation.objects.open().due(timezone.now()).get()
    cancel.attempt(claim(due))
    batch.refresh_from_db()
    assert batch.processing_status == "canceling"


def test_the_batch_in_an_answer_for_another_workspace_is_not_stored(sandbox, workspace, mirrored):
    batch = mirrored()
    Workspace.objects.update(api_workspace_id="wrkspc_other")
    batch.workspace.refresh_from_db()
    remote = connect.client_for(workspace).retrieve(batch.api_id)

    with pytest.raises(OtherWorkspace, match="wrkspc_other"):
        store(batch.workspace, [remote], now=timezone.now())


@pytest.mark.parametrize("kept", [0, 3])
def test_a_list_that_suddenly_lacks_most_batches_deletes_nothing(
    sandbox, workspace, sync, unnamed, rounds_later, kept
):
    ids = [sandbox.add_batch() for _ in range(10)]
    assert sync(workspace)
    before = rows()
    for api_id in ids[kept:]:
        sandbox.remove(api_id)
    new = sandbox.add_batch()

    assert not sync(workspace)
    rounds_later(workspace)

    assert rows() == before
    assert not Batch.objects.filter(api_id=new).exists()
    assert workspace.hold == "foreign"
    assert f"lacks {10 - kept} of 10" in workspace.error


def test_an_empty_list_three_times_over_ten_minutes_deletes_nothing(
    sandbox, workspace, sync, unnamed, rounds_later
):
    ids = [sandbox.add_batch() for _ in range(13)]
    sync(workspace)
    before = rows()
    for api_id in ids:
        sandbox.remove(api_id)

    rounds_later(workspace, 5)

    assert rows() == before


def test_a_few_deleted_batches_are_found_if_answers_name_no_workspace(
    sandbox, workspace, sync, unnamed, rounds_later
):
    ids = [sandbox.add_batch() for _ in range(10)]
    sync(workspace)
    for api_id in ids[:4]:
        sandbox.remove(api_id)

    rounds_later(workspace)

    deleted = Batch.objects.filter(deleted_upstream_at__isnull=False)
    assert set(deleted.values_list("api_id", flat=True)) == set(ids[:4])


def test_an_unnamed_newest_page_of_another_key_is_not_stored(
    sandbox, workspace, sync, unnamed, monkeypatch
):
    """The mirrored batches are older than the page, so none of them is missing from it."""
    monkeypatch.setattr("batches.mirror.round.PAGE_SIZE", 10)
    for hours in range(3):
        sandbox.add_batch(status="ended", created_at=sandbox.now() - timedelta(days=2, hours=hours))
    sync(workspace)
    before = rows()
    for _ in range(25):
        sandbox.add_batch(key=sandbox.other_key)
    set_key(workspace, sandbox.other_key)

    assert not sync(workspace)

    assert rows() == before
    assert workspace.hold == "foreign"
    set_key(workspace, sandbox.key)
    assert sync(workspace)
    assert workspace.hold == ""


def test_a_page_full_of_new_batches_of_the_same_workspace_is_stored(
    sandbox, workspace, sync, unnamed, monkeypatch
):
    """As after a long pause: no mirrored batch is on the newest page."""
    monkeypatch.setattr("batches.mirror.round.PAGE_SIZE", 10)
    sandbox.add_batch(status="ended", created_at=sandbox.now() - timedelta(days=2))
    sync(workspace)
    for _ in range(25):
        sandbox.add_batch()

    assert sync(workspace)

    assert Batch.objects.count() == 26


def test_one_deleted_batch_behind_a_full_page_does_not_mean_another_list(
    sandbox, workspace, sync, unnamed, rounds_later, monkeypatch
):
    monkeypatch.setattr("batches.mirror.round.PAGE_SIZE", 10)
    old = sandbox.add_batch(status="ended", created_at=sandbox.now() - timedelta(hours=20))
    for _ in range(10):
        sandbox.add_batch()
    sync(workspace)
    sandbox.remove(old)

    rounds_later(workspace)

    assert workspace.hold == ""
    assert Batch.objects.get(api_id=old).deleted_upstream_at


def test_a_list_that_names_the_right_workspace_is_believed(sandbox, workspace, sync, rounds_later):
    ids = [sandbox.add_batch(status="ended") for _ in range(3)]
    sync(workspace)
    for api_id in ids:
        sandbox.remove(api_id)

    rounds_later(workspace)

    assert Batch.objects.filter(deleted_upstream_at=None).count() == 0


def test_an_admin_can_accept_the_list_as_it_is_now(
    sandbox, workspace, mirrored, sync, rounds_later
):
    old = mirrored()
    new = sandbox.add_batch(key=sandbox.other_key)
    set_key(workspace, sandbox.other_key)
    sync(workspace)

    accept_list(workspace)
    rounds_later(workspace)

    assert workspace.hold == ""
    assert workspace.api_workspace_id == sandbox.keys[sandbox.other_key]
    assert Batch.objects.filter(api_id=new).exists()
    old.refresh_from_db()
    assert old.deleted_upstream_at


def test_two_workspaces_that_list_one_batch_each_have_a_row(sandbox, workspace, mirrored, sync):
    batch = mirrored()
    twin = Workspace.objects.create(
        name="Twin", slug="twin", base_url="http://sandbox", api_key=sandbox.key
    )

    assert sync(twin)
    sandbox.finish(batch.api_id)
    assert sync(twin)

    rows = Batch.objects.filter(api_id=batch.api_id).order_by("pk")
    assert [row.workspace_id for row in rows] == [workspace.pk, twin.pk]
    assert [row.twin_of for row in rows] == [None, workspace.pk]
    # Each row is as of its own workspace's last round.
    assert [row.processing_status for row in rows] == ["in_progress", "ended"]
    assert "same Anthropic workspace" in twin.notice


def test_another_address_that_lists_the_same_ids_changes_no_other_rows(
    sandbox, workspace, mirrored, sync
):
    batch = mirrored()
    hostile = Workspace.objects.create(
        name="Hostile", slug="hostile", base_url="http://elsewhere", api_key=sandbox.key
    )

    assert sync(hostile)
    sandbox.finish(batch.api_id)
    assert sync(workspace)

    own = Batch.objects.get(api_id=batch.api_id, workspace=workspace)
    other = Batch.objects.get(api_id=batch.api_id, workspace=hostile)
    assert own.has_ended
    assert not other.has_ended
    assert other.twin_of is None


def test_a_deleted_batch_that_is_listed_again_is_restored_and_read(
    sandbox, workspace, mirrored, sync
):
    batch = mirrored(status="ended")
    Batch.objects.update(deleted_upstream_at=timezone.now(), missing_rounds=3, is_active=False)
    reading.mark_lost(timezone.now())
    assert Batch.objects.get().results_state == "lost"

    sync(workspace)
    reading.mark_lost(timezone.now())

    row = Batch.objects.get()
    assert (row.deleted_upstream_at, row.results_state) == (None, "pending")
    assert read_now(batch)


def test_a_running_batch_that_is_missing_has_no_lost_results(mirrored):
    mirrored()
    Batch.objects.update(deleted_upstream_at=timezone.now(), is_active=False)

    assert reading.mark_lost(timezone.now()) == 0

    assert Batch.objects.get().results_state == "pending"


def test_deleting_a_workspace_keeps_cancellations_and_the_audit(
    sandbox, workspace, mirrored, person
):
    batch = mirrored()
    ended = mirrored(status="ended", requests=40, errored=7)
    read_now(ended)
    cancel.cancel_batch(
        batch, actor=person("operator", workspace), address="192.0.2.7", reason="wrong prompt"
    )
    events = AuditEvent.objects.count()
    announced = deletion_of(workspace)

    done = delete_workspace(workspace)

    assert done == announced == (2, 7, 1)
    assert not Batch.objects.exists()
    kept = Cancellation.objects.get()
    assert (kept.batch_id, kept.batch_api_id, kept.workspace_name) == (
        None, batch.api_id, "Research",
    )  # fmt: skip
    assert kept.reason == "wrong prompt"
    assert AuditEvent.objects.count() == events
