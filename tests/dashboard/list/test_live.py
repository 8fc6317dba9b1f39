import json
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from batches.models import Workspace
from tests.dashboard.batch.batch_page import words
from tests.dashboard.conftest import HTMX

URL = "/live/"


@pytest.fixture(autouse=True)
def _fresh(workspace):
    now = timezone.now()
    Workspace.objects.filter(pk=workspace.pk).update(last_synced_at=now, backfilled_at=now)


def version(page: str) -> str:
    return re.search(r'data-version="([^"]+)"', page)[1]


def swapped(page: str) -> list[str]:
    return re.findall(r'<article id="batch-([^"]+)"', page)


def test_an_unchanged_poll_has_only_the_time_of_the_sync(sign_in, row, workspace):
    row("one")
    browser = sign_in("viewer")
    v = version(browser.get("/").text)
    synced_at = timezone.now() + timedelta(seconds=1)
    Workspace.objects.filter(pk=workspace.pk).update(last_synced_at=synced_at)

    response = browser.get(URL, {"v": v}, headers=HTMX)

    assert response.status_code == 204
    assert response.content == b""
    trigger = json.loads(response["HX-Trigger"])
    assert trigger == {"synced": {str(workspace.pk): synced_at.isoformat()}}


def test_an_unchanged_poll_takes_three_queries(sign_in, row, django_assert_num_queries):
    row("one")
    browser = sign_in("viewer")
    v = version(browser.get("/").text)

    # The session, the person with their role, and their workspaces.
    with django_assert_num_queries(3):
        browser.get(URL, {"v": v}, headers=HTMX)


def test_a_change_swaps_only_that_card(sign_in, row, change):
    still, moved = row("still"), row("moved")
    browser = sign_in("viewer")
    v = version(browser.get("/").text)
    change(moved, processing_status="canceling", cancel_initiated_at=timezone.now())

    page = browser.get(URL, {"v": v, "shown": [still.pk, moved.pk]}, headers=HTMX).text

    assert swapped(page) == ["moved"]
    assert 'data-status="canceling"' in page
    assert 'id="summary"' in page
    assert version(page) != v


def test_a_card_that_left_its_tab_stays_in_its_new_state(sign_in, row, change):
    batch = row("ending")
    browser = sign_in("viewer")
    v = version(browser.get("/?status=active").text)
    change(batch, processing_status="ended", processing=0, succeeded=10)

    query = {"v": v, "status": "active", "shown": batch.pk}
    page = browser.get(URL, query, headers=HTMX).text

    assert swapped(page) == ["ending"]
    assert 'data-outcome="all_succeeded"' in page


@pytest.mark.parametrize("v", ["", "garbage", "9" * 40, "-1.x", "\0"])
def test_an_absurd_version_counts_as_having_seen_nothing(sign_in, row, v):
    batch = row("one")

    response = sign_in("viewer").get(URL, {"v": v, "shown": batch.pk}, headers=HTMX)

    assert response.status_code == 200
    assert swapped(response.text) == ["one"]


def test_a_forged_list_of_shown_cards_shows_nothing_of_other_teams(sign_in, row, other_workspace):
    theirs = row("theirs", workspace=other_workspace)

    response = sign_in("viewer").get(URL, {"shown": [theirs.pk, "x", "9" * 30]}, headers=HTMX)

    assert "theirs" not in response.text


def test_the_pace_is_quick_only_while_something_is_active(sign_in, row, change):
    batch = row("one")
    browser = sign_in("viewer")

    busy = browser.get("/").text
    change(batch, processing_status="ended", processing=0, succeeded=10)
    idle = browser.get("/").text

    assert 'hx-trigger="every 3s, poll"' in busy
    assert 'hx-trigger="every 30s, poll"' in idle


def test_polls_keep_the_pages_filters(sign_in, row):
    row("one", label="nightly")

    page = sign_in("viewer").get("/", {"label": "nightly", "sort": "oldest"}).text

    address = re.search(r'hx-get="(/live/[^"]+)"', page)[1]
    assert address.startswith("/live/?")
    assert "label=nightly" in address
    assert "sort=oldest" in address


def test_a_stale_workspace_is_news_without_a_changed_batch(sign_in, row, workspace):
    row("one")
    browser = sign_in("viewer")
    v = version(browser.get("/").text)
    Workspace.objects.filter(pk=workspace.pk).update(
        last_synced_at=timezone.now() - timedelta(hours=1)
    )

    response = browser.get(URL, {"v": v, "shown": 0}, headers=HTMX)

    assert "Research hasn’t synced since" in words(response.text)


def test_a_session_that_ran_out_leads_to_the_login_page_and_back(client, db):
    current = {"HX-Current-URL": "http://testserver/?status=active"}

    response = client.get(URL, headers=HTMX | current)

    assert response["HX-Redirect"] == "/accounts/login/?next=/%3Fstatus%3Dactive"
    assert "<form" not in response.text


@pytest.mark.parametrize("current", ["https://evil.example/steal", "//evil.example", "x"])
def test_a_login_never_leads_to_another_site(client, db, current):
    response = client.get(URL, headers=HTMX | {"HX-Current-URL": current})

    assert "evil" not in response["HX-Redirect"]


def test_the_page_of_a_batch_polls(sign_in, row, change):
    batch = row("one")
    browser = sign_in("viewer")
    v = version(browser.get("/batches/one/").text)

    unchanged = browser.get("/batches/one/live/", {"v": v}, headers=HTMX)
    change(batch, processing_status="ended", processing=0, succeeded=10, ended_at=timezone.now())
    changed = browser.get("/batches/one/live/", {"v": v}, headers=HTMX)

    assert unchanged.status_code == 204
    assert 'data-outcome="all_succeeded"' in changed.text
