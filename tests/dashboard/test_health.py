"""Notices about workspaces that are not up to date."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from batches.client import KeyRefused, Unreachable
from batches.models import Workspace
from tests.dashboard.batch.batch_page import words
from tests.dashboard.conftest import HTMX, undecryptable
from tests.dashboard.list.test_live import version

LONG_AGO = timedelta(hours=1)


@pytest.fixture(params=["/", "/batches/one/", "/batches/one/requests/", "/spend/"])
def opened(request, row, sign_in):
    """A function that opens a page which shows how up to date its workspaces are."""
    row("one")

    def opened(role: str = "lead") -> str:
        return sign_in(role).get(request.param).text

    return opened


def kinds(page: str) -> list[str]:
    return re.findall(r'data-notice="(\w+)"', page)


def health(page: str) -> list[str]:
    return re.findall(r'data-health="(\w+)"', page)


def test_a_fresh_workspace_needs_no_notice(workspace_has, opened):
    workspace_has()

    shown = opened()

    assert kinds(shown) == []
    assert health(shown) in (["fresh"], [])


def test_the_first_sync_says_that_batches_are_loading(workspace_has, opened):
    workspace_has(last_synced_at=None, backfilled_at=None)

    shown = opened()

    assert kinds(shown) == ["waiting"]
    assert "First sync of Research is in progress; batches appear as they load." in words(shown)
    assert health(shown) in (["waiting"], [])


def test_a_long_first_sync_says_how_far_back_it_is(workspace_has, opened):
    workspace_has(backfilled_at=None, listing_reached_at=timezone.now() - timedelta(days=3))

    shown = opened()

    assert kinds(shown) == ["listing"]
    assert re.search(r"batches created since \d\d \w+ \d{4}, .* UTC are listed", words(shown))


def test_an_api_that_does_not_answer_is_shown_with_its_last_error(workspace_has, opened):
    error = str(Unreachable("timed out"))
    workspace_has(last_synced_at=timezone.now() - LONG_AGO, error=error, error_at=timezone.now())

    shown = opened()

    assert kinds(shown) == ["api"]
    assert health(shown) in (["stale"], [])
    assert "Research hasn’t synced since" in words(shown)
    assert "Anthropic’s API isn’t answering. Retrying; cancels are queued." in words(shown)
    assert re.search(rf"Last error, \d+ s ago : {re.escape(error)}", words(shown))


def test_another_error_is_shown_as_it_is(workspace_has, opened):
    error = "This address does not answer as the Batches API does (404)"
    workspace_has(last_synced_at=None, error=error, error_at=timezone.now(), request_id="req_7")

    shown = opened()

    assert kinds(shown) == ["failing"]
    assert "Research hasn’t synced yet." in words(shown)
    assert error in words(shown)
    assert "(request ID req_7)" in words(shown)
    assert "isn’t answering" not in words(shown)


@pytest.mark.parametrize("seen_before", [timedelta(minutes=1), timedelta(minutes=-1)])
def test_without_a_running_worker_nothing_is_fresh(
    workspace_has, opened, running_worker, seen_before
):
    workspace_has()
    running_worker.seen_at = timezone.now() - seen_before
    running_worker.save()

    shown = opened()

    assert kinds(shown) == ["worker"]
    assert health(shown) in (["stale"], [])
    assert "No worker is running" in words(shown)
    assert "Ask an admin to check the worker." in words(shown)


def test_a_worker_that_has_ended_or_does_not_sync_does_not_count(
    workspace_has, opened, running_worker
):
    workspace_has()
    running_worker.kinds = ",cancel,results,"
    running_worker.save()

    assert kinds(opened()) == ["worker"]


def test_a_sync_in_the_future_is_never_fresh(workspace_has, opened):
    workspace_has(last_synced_at=timezone.now() + LONG_AGO)

    shown = opened()

    assert kinds(shown) == ["slow"]
    assert health(shown) in (["stale"], [])
    assert "a clock was wrong" in words(shown)
    assert "Last synced Research 0 s ago" not in words(shown)


def test_a_workspace_that_no_worker_syncs_is_named(workspace_has, opened):
    workspace_has(last_synced_at=timezone.now() - LONG_AGO)

    shown = opened()

    assert kinds(shown) == ["slow"]
    assert "The worker is running, but has not synced this workspace." in words(shown)


def refused(workspace_has, **columns) -> None:
    workspace_has(
        **{
            "last_synced_at": timezone.now() - LONG_AGO,
            "hold": "refused",
            "error": str(KeyRefused("No.", status=401, type="authentication_error")),
            "error_at": timezone.now(),
            "request_id": "req_7",
            **columns,
        }
    )


def test_a_refused_key_is_shown_with_request_id_age_and_next_step(workspace_has, opened):
    refused(workspace_has)

    shown = opened()

    assert kinds(shown) == ["refused"]
    assert health(shown) in (["refused"], [])
    said = words(shown)
    assert "Anthropic refused Research’s key (401 authentication_error): No." in said
    assert "(request ID req_7)" in said
    assert "Data is from" in said
    assert "Retrying every 5 minutes; cancels are queued." in said
    assert "ask an admin to set a new key" in said


def test_a_refusal_by_the_edge_is_shown_with_its_cf_ray(workspace_has, opened):
    refused(
        workspace_has,
        error=str(KeyRefused("", status=403, type="forbidden")).rstrip("."),
        request_id="cf-ray 8e-FRA",
    )

    assert "(403 forbidden) (cf-ray 8e-FRA)" in words(opened())


def test_an_admin_is_led_to_where_the_key_is_set(workspace_has, opened, workspace):
    refused(workspace_has)

    shown = opened("admin")

    assert f'href="/workspaces/{workspace.pk}/"' in shown
    assert "Set a new key" in words(shown)


def test_a_refused_key_of_the_environment_is_corrected_there(workspace_has, opened):
    refused(workspace_has, from_environment=True)

    assert "correct ANTHROPIC_API_KEY and restart" in words(opened("admin"))


def test_without_a_worker_nothing_claims_to_be_retried(workspace_has, opened, running_worker):
    refused(workspace_has)
    running_worker.delete()

    said = words(opened())

    assert "No worker is running, so nothing is retried." in said
    assert "every 5 minutes" not in said


def test_a_key_of_another_workspace_is_explained(workspace_has, opened):
    workspace_has(
        hold="foreign", error="The key of Research belongs to another Anthropic workspace: …"
    )

    said = words(shown := opened())

    assert kinds(shown) == ["foreign"]
    assert health(shown) in (["foreign"], [])
    assert "Research seems to have the key of another Anthropic workspace." in said
    assert "Nothing is stored or deleted." in said
    assert "Ask an admin to put the right key back." in said


def test_an_admin_can_accept_the_list_of_another_key(workspace_has, opened, workspace):
    workspace_has(hold="foreign", error="The list lacks 9 of 9 batches.")

    shown = opened("admin")

    assert "Put the right key back" in words(shown)
    assert f'<a href="/workspaces/{workspace.pk}/">accept its list</a>' in shown


def test_a_key_that_cannot_be_decrypted_is_shown_at_once(workspace, opened, sync):
    Workspace.objects.filter(pk=workspace.pk).update(last_synced_at=timezone.now())
    undecryptable(workspace)
    assert not sync(workspace)

    shown = opened()

    assert kinds(shown) == ["undecryptable"]
    assert "Research’s stored API key can’t be decrypted." in words(shown)
    assert "Ask an admin to set the API key again." in words(shown)


def test_a_workspace_that_is_switched_off_says_so(workspace_has, opened):
    workspace_has(is_enabled=False)

    shown = opened()

    assert kinds(shown) == ["off"]
    assert health(shown) in (["off"], [])
    assert "Research is switched off" in words(shown)


def test_a_notice_of_the_round_is_shown(workspace_has, opened):
    workspace_has(notice="3 batches can't be read.")

    shown = opened()

    assert kinds(shown) == ["notice"]
    assert "Research: 3 batches can't be read." in words(shown)


def test_one_notice_names_all_workspaces_that_it_applies_to(
    client, admin_user, row, running_worker
):
    for number in range(6):
        Workspace.objects.create(name=f"Team {number}", slug=f"team-{number}")
    running_worker.delete()
    client.force_login(admin_user)

    page = client.get("/").text

    assert kinds(page) == ["worker"]
    assert "Research, Team 0 and 5 more workspaces" in words(page)


@pytest.mark.parametrize("address", ["/", "/batches/one/"])
def test_a_poll_shows_a_state_that_begins_or_ends_with_the_clock(
    sign_in, row, workspace_has, running_worker, address
):
    row("one")
    with time_machine.travel(timezone.now(), tick=False) as clock:
        workspace_has()
        type(running_worker).objects.update(seen_at=timezone.now() + timedelta(seconds=3))
        browser = sign_in("viewer")
        v = version(browser.get(address).text)

        clock.shift(timedelta(seconds=31))
        late = browser.get(f"{address}live/", {"v": v, "shown": 0}, headers=HTMX)
        clock.shift(timedelta(seconds=5))
        dead = browser.get(f"{address}live/", {"v": version(late.text), "shown": 0}, headers=HTMX)
        clock.shift(timedelta(seconds=-36))
        again = browser.get(f"{address}live/", {"v": version(dead.text), "shown": 0}, headers=HTMX)

    assert kinds(late.text) == ["slow"]
    assert kinds(dead.text) == ["worker"]
    assert 'id="health"' in again.text
    assert kinds(again.text) == []


def test_a_poll_does_not_swap_unchanged_notices(sign_in, row, change, workspace_has):
    batch = row("one")
    workspace_has(notice="3 batches can't be read.")
    browser = sign_in("viewer")
    v = version(browser.get("/").text)
    change(batch, processing=5, succeeded=5)

    answer = browser.get("/live/", {"v": v, "shown": batch.pk}, headers=HTMX).text

    assert 'id="batch-one"' in answer
    assert 'id="health"' not in answer
