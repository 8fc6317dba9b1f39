from datetime import timedelta

import msgspec
import pytest
from django.utils import timezone

from batches import cancel
from batches.mirror.store import store
from batches.models import Batch, ClaimLost, Workspace


@pytest.fixture(autouse=True)
def _no_waits(no_waits):
    pass


def list_calls(sandbox) -> int:
    """How often the list has been called."""
    return sum(path == "/v1/messages/batches" for _, path in sandbox.calls)


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr("batches.mirror.round.PAGE_SIZE", 10)


def test_the_first_round_mirrors_all_batches_of_its_workspace_only(
    sandbox, workspace, sync, small_pages
):
    own = {sandbox.add_batch() for _ in range(35)}
    sandbox.add_batch(key=sandbox.other_key)

    assert sync(workspace)

    assert set(Batch.objects.values_list("api_id", flat=True)) == own
    assert workspace.backfilled_at
    assert workspace.last_synced_at


def test_a_row_holds_what_the_api_said(mirrored, sandbox):
    batch = mirrored(status="ended", requests=10, succeeded=7, errored=3)

    described = sandbox.describe(batch.api_id)

    assert batch.raw == described
    assert batch.processing_status == "ended"
    assert (batch.succeeded, batch.errored, batch.total) == (7, 3, 10)
    assert batch.ended_at.isoformat() == described["ended_at"]
    assert batch.outcome == "some_failed"


def test_an_unchanged_round_writes_no_batch_and_no_revision(
    sandbox, workspace, sync, django_assert_max_num_queries
):
    for _ in range(30):
        sandbox.add_batch()
    sync(workspace)
    before = list(Batch.objects.order_by("pk").values())

    with django_assert_max_num_queries(25) as queries:
        sync(workspace)

    assert list(Batch.objects.order_by("pk").values()) == before
    no_writes = ("SELECT", "BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    writes = [query["sql"] for query in queries if not query["sql"].startswith(no_writes)]
    assert all("batches_workspace" in sql for sql in writes)


def test_the_workspace_id_in_answers_is_saved_once(
    sandbox, workspace, sync, django_assert_max_num_queries
):
    sync(workspace)
    assert workspace.api_workspace_id == sandbox.keys[sandbox.key]

    with django_assert_max_num_queries(25) as queries:
        sync(workspace)

    updates = [query["sql"].split("WHERE")[0] for query in queries if "UPDATE" in query["sql"]]
    assert updates
    assert not any("api_workspace_id" in update for update in updates)


def test_a_change_gets_the_next_revision_and_is_in_the_history(mirrored, sandbox, sync, workspace):
    batch, bystander = mirrored(requests=3), mirrored()
    sandbox.finish(batch.api_id)

    sync(workspace)

    before = batch.revision
    batch.refresh_from_db()
    assert batch.revision > before
    assert workspace.latest_revision == batch.revision
    assert [earlier.processing_status for earlier in batch.observations.all()] == ["in_progress"]
    assert not bystander.observations.exists()


def test_an_interrupted_listing_continues_where_it_stopped(sandbox, workspace, sync, small_pages):
    for _ in range(45):
        sandbox.add_batch()
    sync(workspace, is_stopping=lambda: list_calls(sandbox) >= 2)
    assert Batch.objects.count() == 20
    created_later = sandbox.add_batch()
    calls_before = list_calls(sandbox)

    assert sync(workspace)

    assert Batch.objects.count() == 46
    assert Batch.objects.filter(api_id=created_later).exists()
    # Three pages to the end, and the newest ones once more, but not the whole list.
    assert list_calls(sandbox) - calls_before <= 3 + 5


def test_a_first_listing_starts_again_when_its_cursor_was_deleted(
    sandbox, workspace, sync, small_pages
):
    for _ in range(25):
        sandbox.add_batch()
    sync(workspace, is_stopping=lambda: True)
    sandbox.remove(workspace.listing_after_id)

    results = [sync(workspace), sync(workspace)]

    assert results[-1]
    assert Batch.objects.filter(deleted_upstream_at=None).count() >= 24


def test_a_round_lists_only_batches_that_can_change(sandbox, workspace, sync, small_pages):
    now = sandbox.now()
    for days in range(2, 40):
        sandbox.add_batch(status="ended", created_at=now - timedelta(days=days))
    sandbox.add_batch()
    sync(workspace)
    before = list_calls(sandbox)

    sync(workspace)

    assert list_calls(sandbox) - before == 1


def test_a_round_lists_back_to_the_oldest_active_batch(sandbox, workspace, sync, small_pages):
    now = sandbox.now()
    old = sandbox.add_batch(
        created_at=now - timedelta(hours=23), duration=timedelta(hours=23, minutes=30)
    )
    for minutes in range(30):
        sandbox.add_batch(status="ended", created_at=now - timedelta(hours=2, minutes=minutes))
    sync(workspace)

    sandbox.finish(old)
    sync(workspace)

    assert Batch.objects.get(api_id=old).has_ended


def test_batches_created_during_a_long_pause_are_found(sandbox, workspace, sync, small_pages):
    sandbox.add_batch(status="ended", created_at=sandbox.now() - timedelta(days=9))
    sync(workspace)
    Workspace.objects.update(covered_until=timezone.now() - timedelta(days=6))
    missed = {
        sandbox.add_batch(status="ended", created_at=sandbox.now() - timedelta(days=3, hours=n))
        for n in range(25)
    }

    sync(workspace)

    assert missed <= set(Batch.objects.values_list("api_id", flat=True))


def test_canceling_never_goes_back_to_in_progress(mirrored, sandbox, workspace):
    batch = mirrored()
    client = cancel.connect.client_for(workspace)
    slow_answer = client.list_page().batches
    store(workspace, [client.cancel(batch.api_id)], now=timezone.now())

    store(workspace, slow_answer, now=timezone.now())

    batch.refresh_from_db()
    assert batch.processing_status == "canceling"
    assert batch.cancel_initiated_at


def test_a_slow_answer_does_not_overwrite_a_newer_one(mirrored, sandbox, workspace):
    batch = mirrored(requests=5, moving_counts=True)
    client = cancel.connect.client_for(workspace)
    asked_at = timezone.now()
    [slow] = client.list_page().batches
    counts = slow.request_counts
    newer = msgspec.structs.replace(
        slow,
        raw=slow.raw | {"newer": True},
        request_counts=msgspec.structs.replace(counts, processing=1, succeeded=4),
    )
    store(workspace, [newer], now=timezone.now())

    older = msgspec.structs.replace(slow, raw=slow.raw | {"older": True})
    store(workspace, [older], now=timezone.now(), asked_at=asked_at)

    batch.refresh_from_db()
    assert (batch.processing, batch.succeeded) == (1, 4)


def test_a_batch_is_deleted_only_after_three_rounds_five_minutes_apart(
    mirrored, sandbox, sync, workspace
):
    removed, kept = mirrored(), mirrored()
    sandbox.remove(removed.api_id)

    for _ in range(5):
        sync(workspace)
    removed.refresh_from_db()
    assert removed.deleted_upstream_at is None

    for _ in range(2):
        Batch.objects.update(missing_noted_at=timezone.now() - timedelta(minutes=6))
        sync(workspace)

    removed.refresh_from_db()
    kept.refresh_from_db()
    assert removed.deleted_upstream_at
    assert not removed.is_active
    assert kept.deleted_upstream_at is None
    assert kept.missing_rounds == 0


def test_a_batch_that_is_listed_again_is_not_missing(mirrored, sandbox, sync, workspace):
    batch = mirrored()
    Batch.objects.update(missing_rounds=2, missing_noted_at=timezone.now() - timedelta(minutes=6))

    sync(workspace)

    batch.refresh_from_db()
    assert batch.missing_rounds == 0


@pytest.mark.parametrize("kind", ["500", "429", "garbage", "html", "reset", "cut", "429-bare"])
def test_a_failed_round_keeps_the_rows_saves_the_error_and_backs_off(
    mirrored, sandbox, sync, workspace, kind
):
    mirrored()
    last_synced_at = Workspace.objects.get().last_synced_at
    sandbox.fail_next(kind, times=99)

    assert not sync(workspace)

    sandbox.faults.clear()
    assert workspace.error
    assert workspace.last_synced_at == last_synced_at
    assert workspace.next_attempt_at > timezone.now()
    assert Batch.objects.count() == 1
    assert sync(workspace)
    assert workspace.error == ""


def test_the_error_has_the_request_id(mirrored, sandbox, sync, workspace):
    mirrored()
    sandbox.fail_next("500", times=3)

    sync(workspace)

    assert workspace.request_id.startswith("req_")


def test_a_lost_claim_ends_the_round_and_leaves_the_row(sandbox, workspace, sync, small_pages):
    for _ in range(30):
        sandbox.add_batch()

    def lose_claim() -> bool:
        Workspace.objects.update(claim="another")
        return False

    with pytest.raises(ClaimLost):
        sync(workspace, is_stopping=lose_claim)

    workspace.refresh_from_db()
    assert workspace.claim == "another"
    assert Batch.objects.count() == 10


def test_a_stop_ends_the_round_after_the_current_page(sandbox, workspace, sync, small_pages):
    for _ in range(30):
        sandbox.add_batch()

    assert not sync(workspace, is_stopping=lambda: True)

    assert Batch.objects.count() == 10
    assert workspace.claim == ""
    assert workspace.next_attempt_at is None
