"""The newest page is read every round, whatever happens further back."""

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
def spoiling(sandbox, monkeypatch) -> Callable[..., None]:
    """A function that has answers about the list changed: it gets the cursor and the answer."""

    def spoiling(change) -> None:
        inner = sandbox.transport()

        def answer(request: httpx.Request) -> httpx.Response:
            response = whole(inner.handle_request(request))
            if request.url.path != "/v1/messages/batches":
                return response
            return change(request.url.params.get("after_id"), response) or response

        connect.forget_clients()
        monkeypatch.setattr(connect, "transport", lambda: httpx.MockTransport(answer))

    return spoiling


def whole(response: httpx.Response) -> httpx.Response:
    """The same answer, whose body has not begun to be read."""
    return httpx.Response(response.status_code, headers=response.headers, content=response.read())


def old_batches(sandbox, count: int) -> list[str]:
    """Ended batches of the last weeks, beyond all that can still change."""
    now = sandbox.now()
    return [
        sandbox.add_batch(status="ended", created_at=now - timedelta(days=2, hours=n))
        for n in range(count)
    ]


def failing_behind_the_first_page(cursor, response):
    return httpx.Response(500, json={"error": {"type": "api_error"}}) if cursor else None


def repeating_the_first_page(sandbox):
    """Whatever the cursor, the newest page comes."""
    inner = sandbox.transport()

    def repeat(cursor, response):
        if cursor is None:
            return None
        url = "http://sandbox/v1/messages/batches?limit=10"
        request = httpx.Request("GET", url, headers={"x-api-key": sandbox.key})
        return whole(inner.handle_request(request))

    return repeat


@pytest.mark.parametrize("fault", ["500", "repeats"])
def test_a_bad_page_further_back_leaves_the_newest_live_and_says_what_is_missing(
    sandbox, workspace, sync, spoiling, fault
):
    old_batches(sandbox, 30)
    active = sandbox.add_batch()
    change = failing_behind_the_first_page if fault == "500" else repeating_the_first_page(sandbox)
    spoiling(change)
    assert sync(workspace)
    created_later = sandbox.add_batch()
    sandbox.finish(active)

    assert sync(workspace)

    assert Batch.objects.filter(api_id=created_later).exists()
    assert Batch.objects.get(api_id=active).has_ended
    assert workspace.error == ""
    assert not workspace.is_stale(timezone.now())
    assert "could not be listed" in workspace.notice


def test_the_listing_goes_on_where_it_failed_once_the_page_comes(
    sandbox, workspace, sync, spoiling
):
    old_batches(sandbox, 35)
    spoiling(failing_behind_the_first_page)
    sync(workspace)
    spoiling(lambda cursor, response: None)
    Workspace.objects.update(listing_next_at=None)

    sync(workspace)

    assert Batch.objects.count() == 35
    assert workspace.backfilled_at
    assert workspace.notice == ""


def test_a_part_that_failed_is_not_tried_again_with_every_round(sandbox, workspace, sync, spoiling):
    old_batches(sandbox, 30)
    asked: list[str | None] = []
    spoiling(lambda cursor, response: asked.append(cursor) or
             failing_behind_the_first_page(cursor, response))  # fmt: skip
    sync(workspace)
    first = len([cursor for cursor in asked if cursor])

    sync(workspace)

    assert len([cursor for cursor in asked if cursor]) == first
    # The notice stays for as long as the trouble does.
    assert "could not be listed" in workspace.notice


def test_a_long_first_listing_goes_on_from_round_to_round(sandbox, workspace, sync, settings):
    settings.BATCHBOARD_POLL_SECONDS = 0
    old_batches(sandbox, 45)

    assert sync(workspace)
    assert Batch.objects.count() == 20
    # Fresh already, though the listing is not complete.
    assert workspace.last_synced_at
    assert workspace.backfilled_at is None
    assert workspace.listing_reached_at
    assert workspace.next_attempt_at is None
    created_meanwhile = sandbox.add_batch()
    assert sync(workspace)
    assert Batch.objects.filter(api_id=created_meanwhile).exists()
    for _ in range(3):
        sync(workspace)

    assert Batch.objects.count() == 46
    assert workspace.backfilled_at


def test_the_daily_listing_notices_what_was_deleted_far_back(sandbox, workspace, sync):
    ids = old_batches(sandbox, 35)
    sync(workspace)
    sandbox.remove(ids[-1])
    for _ in range(3):
        yesterday = timezone.now() - timedelta(hours=25)
        Workspace.objects.update(last_full_round_at=yesterday)
        Batch.objects.exclude(missing_noted_at=None).update(missing_noted_at=yesterday)
        sync(workspace)

    gone = Batch.objects.filter(deleted_upstream_at__isnull=False)
    assert [batch.api_id for batch in gone] == [ids[-1]]


def test_lists_that_break_off_now_and_then_delete_nothing_further_back(
    sandbox, workspace, sync, spoiling
):
    """Good rounds list only the newest, so they can't take back that older ones were missing."""
    old_batches(sandbox, 30)
    sync(workspace)

    def break_off(cursor, response):
        return httpx.Response(
            200, json={"data": [], "has_more": False, "first_id": None, "last_id": None},
            headers={"anthropic-workspace-id": sandbox.keys[sandbox.key]},
        )  # fmt: skip

    for _ in range(4):
        spoiling(break_off)
        sync(workspace)
        spoiling(lambda cursor, response: None)
        sync(workspace)
        long_ago = timezone.now() - timedelta(minutes=6)
        Batch.objects.exclude(missing_noted_at=None).update(missing_noted_at=long_ago)

    assert not Batch.objects.filter(deleted_upstream_at__isnull=False).exists()


def test_the_place_to_go_on_from_takes_nothing_for_missing(sandbox, workspace, sync, settings):
    """A part that resumes behind a batch that is no longer there doesn't know what came before."""
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
def test_the_pause_that_the_last_page_asks_for_is_kept(sandbox, workspace, sync, spoiling, headers):
    sandbox.add_batch()
    reset = (timezone.now() + timedelta(seconds=46)).isoformat()
    told = {name: value.replace("RESET", reset) for name, value in headers.items()}

    def tell(cursor, response):
        response.headers.update(told)
        return response

    spoiling(tell)

    before = timezone.now()
    assert sync(workspace)

    assert workspace.next_attempt_at - before > timedelta(seconds=44)


def test_a_workspace_that_is_disabled_meanwhile_stores_no_more(sandbox, workspace, sync, spoiling):
    old_batches(sandbox, 40)

    def disable(cursor, response):
        if cursor:
            Workspace.objects.update(is_enabled=False)

    spoiling(disable)

    assert not sync(workspace)

    assert Batch.objects.count() == 10


def test_an_endless_list_is_stored_up_to_a_bound(sandbox, workspace, sync, monkeypatch):
    monkeypatch.setattr("batches.mirror.round.MOST_BYTES", 12_000)
    old_batches(sandbox, 60)

    assert sync(workspace)

    assert 10 < Batch.objects.count() < 60
    assert "larger than" in workspace.notice
