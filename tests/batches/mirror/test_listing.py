"""Every round reads the newest page, and the full listing goes on over several rounds."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from batches import connect
from batches.models import Batch, Workspace

pytestmark = pytest.mark.usefixtures("no_waits")


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    monkeypatch.setattr("batches.mirror.round.PAGE_SIZE", 10)


@pytest.fixture
def spoil_list(sandbox, monkeypatch) -> Callable[..., None]:
    """A function that sets a callback, which may change answers of the list.

    The callback gets the cursor and the answer, and may return another answer.
    """

    def spoil(change) -> None:
        inner = sandbox.transport()

        def answer(request: httpx.Request) -> httpx.Response:
            response = whole(inner.handle_request(request))
            if request.url.path != "/v1/messages/batches":
                return response
            return change(request.url.params.get("after_id"), response) or response

        connect.forget_clients()
        monkeypatch.setattr(connect, "transport", lambda: httpx.MockTransport(answer))

    return spoil


def whole(response: httpx.Response) -> httpx.Response:
    """A copy of the answer whose body can be read again."""
    return httpx.Response(response.status_code, headers=response.headers, content=response.read())


def old_batches(sandbox, count: int) -> list[str]:
    """Add ended batches that are too old to change."""
    now = sandbox.now()
    return [
        sandbox.add_batch(status="ended", created_at=now - timedelta(days=2, hours=n))
        for n in range(count)
    ]


def failing_behind_the_first_page(cursor, response):
    return httpx.Response(500, json={"error": {"type": "api_error"}}) if cursor else None


def repeating_the_first_page(sandbox):
    """A callback that answers with the newest page, whatever the cursor."""
    inner = sandbox.transport()

    def repeat(cursor, response):
        if cursor is None:
            return None
        url = "http://sandbox/v1/messages/batches?limit=10"
        request = httpx.Request("GET", url, headers={"x-api-key": sandbox.key})
        return whole(inner.handle_request(request))

    return repeat


@pytest.mark.parametrize("fault", ["500", "repeats"])
def test_an_error_further_back_leaves_the_newest_page_live_and_a_notice(
    sandbox, workspace, sync, spoil_list, fault
):
    old_batches(sandbox, 30)
    active = sandbox.add_batch()
    change = failing_behind_the_first_page if fault == "500" else repeating_the_first_page(sandbox)
    spoil_list(change)
    assert sync(workspace)
    created_later = sandbox.add_batch()
    sandbox.finish(active)

    assert sync(workspace)

    assert Batch.objects.filter(api_id=created_later).exists()
    assert Batch.objects.get(api_id=active).has_ended
    assert workspace.error == ""
    assert not workspace.is_stale(timezone.now())
    assert "could not be listed" in workspace.notice


def test_the_listing_continues_where_it_failed(sandbox, workspace, sync, spoil_list):
    old_batches(sandbox, 35)
    spoil_list(failing_behind_the_first_page)
    sync(workspace)
    spoil_list(lambda cursor, response: None)
    Workspace.objects.update(listing_next_at=None)

    sync(workspace)

    assert Batch.objects.count() == 35
    assert workspace.backfilled_at
    assert workspace.notice == ""


def test_a_failed_listing_is_not_retried_in_every_round(sandbox, workspace, sync, spoil_list):
    old_batches(sandbox, 30)
    cursors: list[str | None] = []
    spoil_list(lambda cursor, response: cursors.append(cursor) or
             failing_behind_the_first_page(cursor, response))  # fmt: skip
    sync(workspace)
    first = len([cursor for cursor in cursors if cursor])

    sync(workspace)

    assert len([cursor for cursor in cursors if cursor]) == first
    # The notice stays until the listing continues.
    assert "could not be listed" in workspace.notice


def test_a_long_first_listing_continues_from_round_to_round(sandbox, workspace, sync, settings):
    settings.BATCHBOARD_POLL_SECONDS = 0
    old_batches(sandbox, 45)

    assert sync(workspace)
    assert Batch.objects.count() == 20
    # The workspace is already fresh, though the listing is not complete.
    assert workspace.last_synced_at
    assert workspace.backfilled_at is None
    assert workspace.listing_reached_at
    assert workspace.next_attempt_at is None
    created_later = sandbox.add_batch()
    assert sync(workspace)
    assert Batch.objects.filter(api_id=created_later).exists()
    for _ in range(3):
        sync(workspace)

    assert Batch.objects.count() == 46
    assert workspace.backfilled_at


def test_the_daily_listing_finds_old_batches_that_were_deleted(sandbox, workspace, sync):
    ids = old_batches(sandbox, 35)
    sync(workspace)
    sandbox.remove(ids[-1])
    for _ in range(3):
        yesterday = timezone.now() - timedelta(hours=25)
        Workspace.objects.update(last_full_round_at=yesterday)
        Batch.objects.exclude(missing_noted_at=None).update(missing_noted_at=yesterday)
        sync(workspace)

    deleted = Batch.objects.filter(deleted_upstream_at__isnull=False)
    assert [batch.api_id for batch in deleted] == [ids[-1]]


def test_lists_that_sometimes_break_off_delete_no_old_batches(sandbox, workspace, sync, spoil_list):
    """Good rounds list only new batches, so they can't find that older ones still exist."""
    old_batches(sandbox, 30)
    sync(workspace)

    def break_off(cursor, response):
        return httpx.Response(
            200, json={"data": [], "has_more": False, "first_id": None, "last_id": None},
            headers={"anthropic-workspace-id": sandbox.keys[sandbox.key]},
        )  # fmt: skip

    for _ in range(4):
        spoil_list(break_off)
        sync(workspace)
        spoil_list(lambda cursor, response: None)
        sync(workspace)
        long_ago = timezone.now() - timedelta(minutes=6)
        Batch.objects.exclude(missing_noted_at=None).update(missing_noted_at=long_ago)

    assert not Batch.objects.filter(deleted_upstream_at__isnull=False).exists()


def test_a_listing_after_a_deleted_batch_calls_nothing_missing(sandbox, workspace, sync, settings):
    """Without that batch's row, the listing doesn't know where the page before ended."""
    ids = old_batches(sandbox, 35)
    sync(workspace)
    Workspace.objects.update(
        listing_began_at=timezone.now(), listing_after_id=ids[12], last_full_round_at=None
    )
    Batch.objects.filter(api_id=ids[12]).delete()

    sync(workspace)

    assert not Batch.objects.filter(missing_rounds__gt=0).exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "45"},
        {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "RESET",
        },
    ],
)
def test_the_pause_requested_by_the_last_page_is_kept(
    sandbox, workspace, sync, spoil_list, headers
):
    sandbox.add_batch()
    reset = (timezone.now() + timedelta(seconds=46)).isoformat()
    requested = {name: value.replace("RESET", reset) for name, value in headers.items()}

    def request_pause(cursor, response):
        response.headers.update(requested)
        return response

    spoil_list(request_pause)

    before = timezone.now()
    assert sync(workspace)

    assert workspace.next_attempt_at - before > timedelta(seconds=44)


def test_a_workspace_disabled_during_a_round_stores_no_more(sandbox, workspace, sync, spoil_list):
    old_batches(sandbox, 40)

    def disable(cursor, response):
        if cursor:
            Workspace.objects.update(is_enabled=False)

    spoil_list(disable)

    assert not sync(workspace)

    assert Batch.objects.count() == 10


def test_an_endless_list_is_stored_up_to_a_bound(sandbox, workspace, sync, monkeypatch):
    monkeypatch.setattr("batches.mirror.round.MOST_BYTES", 12_000)
    old_batches(sandbox, 60)

    assert sync(workspace)

    assert 10 < Batch.objects.count() < 60
    assert "larger than" in workspace.notice
