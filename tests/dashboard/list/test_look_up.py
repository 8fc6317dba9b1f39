"""Looking up a batch that isn't mirrored: Anthropic is called only when someone presses for it."""

import threading

import httpx
import pytest
from django.urls import reverse

from batches import connect
from batches.client import BatchClient, Unreachable
from batches.mirror import lookup
from batches.models import Batch, Workspace
from tests.dashboard.batch.batch_page import words
from tests.dashboard.test_matrix import address, own_patterns

URL = "/look-up/"
ID = "msgbatch_01NotHereYet"

pytestmark = pytest.mark.usefixtures("no_waits")


@pytest.fixture
def calls(monkeypatch, sandbox) -> list[httpx.Request]:
    """Every call of the API, which the sandbox answers."""
    made: list[httpx.Request] = []
    inner = sandbox.transport()

    class Counting(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            made.append(request)
            return inner.handle_request(request)

    connect.forget_clients()
    monkeypatch.setattr(connect, "transport", Counting)
    return made


def press(browser, api_id: str = ID):
    return browser.post(URL, {"id": api_id}, follow=True)


# A download does call the API.
PAGES = [pattern for pattern in own_patterns() if pattern.name != "batch-results"]


@pytest.mark.parametrize("pattern", PAGES, ids=lambda pattern: pattern.name)
def test_no_page_calls_the_api(client, admin_user, mirrored, calls, pattern):
    mirrored("msgbatch_here")
    calls.clear()
    client.force_login(admin_user)

    for query in ({}, {"q": ID}, {"v": "1.x", "shown": "0", "q": ID}):
        client.get(address(pattern, Batch.objects.get()), query)

    assert calls == []


def test_a_complete_unknown_id_offers_a_look_up(sign_in, workspace):
    page = sign_in("viewer").get("/", {"q": f" {ID[:12]} {ID[12:]} "}).text

    assert f'action="{URL}"' in page
    assert f'name="id" value="{ID}"' in page
    assert "Look it up at Anthropic" in page


@pytest.mark.parametrize("text", ["nightly", "01NotHereYet", "msgbatch_", f"{ID}-x", f"{ID}é"])
def test_other_texts_offer_no_look_up(sign_in, workspace, text):
    browser = sign_in("viewer")

    assert "Look it up" not in browser.get("/", {"q": text}).text
    assert "This is not a complete batch ID" in words(press(browser, text).text)


def test_a_batch_that_other_filters_exclude_is_not_looked_up(sign_in, row):
    row(ID)

    page = sign_in("viewer").get("/", {"q": ID, "status": "failed"}).text

    assert "Look it up" not in page
    assert f'href="/batches/{ID}/"' in page
    assert f"Batch {ID} doesn’t match the other filters." in words(page)


def test_a_look_up_leads_to_the_batch(sign_in, sandbox, workspace):
    sandbox.add_batch(ID)

    response = press(sign_in("viewer"))

    assert response.redirect_chain == [(reverse("batch-detail", args=[ID]), 302)]
    assert Batch.objects.get().workspace == workspace


def test_a_mirrored_batch_is_shown_without_a_call(sign_in, row, calls):
    row(ID)

    response = press(sign_in("viewer"))

    assert response.redirect_chain == [(reverse("batch-detail", args=[ID]), 302)]
    assert calls == []


def test_a_batch_of_another_teams_workspace_is_not_found(sign_in, sandbox, row, other_workspace):
    sandbox.add_batch(ID, key=sandbox.other_key)
    row(ID, workspace=other_workspace)

    response = press(sign_in("viewer"))

    assert f"Anthropic has no batch {ID} in your workspaces." in words(response.text)
    assert Batch.objects.get().workspace == other_workspace


def test_a_batch_that_was_not_found_is_not_looked_up_again_for_a_while(sign_in, workspace, calls):
    browser = sign_in("viewer")

    first, second = press(browser), press(browser)

    assert len(calls) == 1
    for response in (first, second):
        assert f"Anthropic has no batch {ID} in your workspaces." in words(response.text)
        assert "Look it up at Anthropic" in response.text


def test_a_hanging_workspace_leaves_time_for_the_others(
    sign_in, workspace, other_workspace, sandbox, monkeypatch
):
    sandbox.add_batch(ID, key=sandbox.key)
    retrieve = BatchClient.retrieve
    patience = []

    def hang_at_first(client: BatchClient, api_id: str, *, within: float):
        patience.append(within)
        if len(patience) == 1:
            raise Unreachable("timed out")
        return retrieve(client, api_id, within=within)

    monkeypatch.setattr(BatchClient, "retrieve", hang_at_first)

    response = press(sign_in("viewer", workspace, other_workspace))

    assert patience[0] <= lookup.LOOK_UP_SECONDS / 2
    assert response.redirect_chain == [(reverse("batch-detail", args=[ID]), 302)]


def test_an_unanswered_look_up_names_the_workspace(sign_in, workspace, other_workspace, sandbox):
    sandbox.fail_next("500", times=3)

    response = press(sign_in("viewer", workspace, other_workspace))

    said = words(response.text)
    assert "Couldn’t look it up in Production: " in said
    assert f"Anthropic has no batch {ID} in your other workspaces." in said


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"hold": "refused"}, "Anthropic refuses the key of Research at the moment."),
        ({"hold": "foreign"}, "seems to belong to another Anthropic workspace."),
        ({"is_enabled": False}, "You have no workspace in which to look it up."),
    ],
)
def test_a_workspace_on_hold_is_named_and_not_called(sign_in, workspace, calls, columns, sentence):
    Workspace.objects.filter(pk=workspace.pk).update(**columns)

    response = press(sign_in("viewer"))

    assert sentence in words(response.text)
    assert "Anthropic has no batch" not in words(response.text)
    assert calls == []


def test_of_many_failed_look_ups_only_some_are_named(client, admin_user, db):
    for number in range(6):
        Workspace.objects.create(
            name=f"Team {number}", slug=f"team-{number}", api_key="k", hold="refused"
        )
    client.force_login(admin_user)

    said = words(press(client).text)

    assert "Couldn’t look it up in Team 2" in said
    assert "Couldn’t look it up in Team 3" not in said
    assert "Couldn’t look it up in 3 more workspaces either." in said


def test_too_many_look_ups_at_a_time_call_nothing(sign_in, workspace, calls, monkeypatch):
    monkeypatch.setattr(lookup, "_places", threading.BoundedSemaphore(1))
    lookup._places.acquire()

    response = press(sign_in("viewer"))

    assert "Others are looking up batches right now." in words(response.text)
    assert calls == []
