"""Editing a workspace: rotating its key, testing it, and saving only what changed."""

from datetime import timedelta

from django.utils import timezone

from batches.models import AuditEvent, Workspace
from tests.dashboard.batch.batch_page import words
from tests.dashboard.conftest import undecryptable
from tests.dashboard.workspaces.page import (
    PRODUCTION,
    PRODUCTION_KEY,
    RESEARCH,
    RESEARCH_KEY,
    WRONG_KEY,
    fields,
    fill,
    last_outcome,
    second_press,
)


def test_an_empty_key_keeps_the_stored_one(admin, workspace, url, sandbox):
    response = fill(admin, url, workspace_name="Evals")

    workspace.refresh_from_db()
    assert response.status_code == 302
    assert (workspace.name, workspace.slug) == ("Evals", "research")
    assert workspace.api_key == RESEARCH_KEY
    assert sandbox.calls == []


def test_saving_without_a_change_says_so(admin, url):
    fill(admin, url)

    assert "No changes to save." in words(admin.get("/workspaces/").text)
    assert not AuditEvent.objects.exists()


def test_a_rotated_key_is_tested_and_synced_at_once(admin, workspace, url, sandbox):
    Workspace.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=5))

    fill(admin, url, new_key=PRODUCTION_KEY)

    workspace.refresh_from_db()
    assert workspace.api_key == PRODUCTION_KEY
    assert workspace.next_attempt_at is None
    assert sandbox.calls == [("GET", "/v1/messages/batches")]
    fill(admin, url, new_key=WRONG_KEY.replace("CCcc", "DDdd"), test="1")
    assert last_outcome() == (
        f"API key: one that is not shown → …BBbb; Anthropic accepted the key for {PRODUCTION}"
    )


def test_the_audit_names_a_key_by_its_last_characters_before_and_after(admin, url):
    fill(admin, url, new_key=PRODUCTION_KEY)
    fill(admin, url, new_key=RESEARCH_KEY)

    assert "API key: …BBbb → …AAaa" in last_outcome()


def test_a_short_key_is_not_shown_in_part(admin, workspace, url):
    asked = fill(admin, url, new_key="short-key12")
    admin.post(url, second_press(admin.post(url, second_press(asked.text)).text))

    workspace.refresh_from_db()
    assert (workspace.api_key, workspace.key_hint) == ("short-key12", "")
    assert "key12" not in admin.get(url).text + admin.get("/workspaces/").text + last_outcome()


def test_a_key_of_another_workspace_needs_a_second_press_with_what_it_means(
    admin, workspace, url, sync, mirrored
):
    mirrored()

    asked = fill(admin, url, new_key=PRODUCTION_KEY)
    workspace.refresh_from_db()

    said = words(asked.text)
    assert "This key is for another Anthropic workspace." in said
    assert f"Anthropic’s answer is for {PRODUCTION}" in said
    assert f"belong to {RESEARCH}" in said
    assert "add another one" in said
    assert workspace.api_key == RESEARCH_KEY

    admin.post(url, second_press(asked.text))
    workspace.refresh_from_db()

    assert workspace.api_key == PRODUCTION_KEY
    assert workspace.list_accepted_until is not None
    assert last_outcome("workspace list accepted")
    assert sync(workspace)
    assert workspace.api_workspace_id == PRODUCTION


def test_an_answer_about_one_workspace_is_not_valid_for_another(
    admin, workspace, url, mirrored, answer_with
):
    mirrored()
    asked = fill(admin, url, new_key=PRODUCTION_KEY)
    third = {"anthropic-workspace-id": "wrkspc_third"}
    answer_with(200, json={"data": [], "has_more": False}, headers=third)

    again = admin.post(url, second_press(asked.text))

    workspace.refresh_from_db()
    assert "Anthropic’s answer is for wrkspc_third" in words(again.text)
    assert workspace.api_key == RESEARCH_KEY


def test_a_new_key_of_the_same_workspace_is_not_questioned(admin, workspace, url, mirrored):
    mirrored()

    assert fill(admin, url, new_key=RESEARCH_KEY).status_code == 302


def test_the_stored_key_can_be_tested_without_saving(admin, workspace, url, sandbox):
    page = fill(admin, url, workspace_name="Not saved", test="1")

    workspace.refresh_from_db()
    assert f"It is for the Anthropic workspace {RESEARCH}." in words(page.text)
    assert workspace.name == "Research"
    assert sandbox.calls == [("GET", "/v1/messages/batches")]


def test_a_stored_key_that_fails_its_test_says_why(admin, url, sandbox):
    sandbox.fail_next("403", times=1)

    page = words(fill(admin, url, test="1").text)

    assert "Anthropic refused the key (403" in page
    assert "Nothing was saved." in page


def test_a_new_key_can_be_stored_where_the_old_one_cannot_be_decrypted(admin, workspace, url):
    undecryptable(workspace)

    tested = fill(admin, url, test="1")
    moved = fill(admin, url, base_url="https://gateway.example")
    renamed = fill(admin, url, workspace_name="Evals")
    saved = fill(admin, url, new_key=RESEARCH_KEY)

    for answer in (tested, moved):
        assert "The stored key can’t be decrypted. Type it again." in words(answer.text)
    assert (renamed.status_code, saved.status_code) == (302, 302)
    workspace.refresh_from_db()
    assert workspace.api_key == RESEARCH_KEY


def test_saving_keeps_what_the_worker_wrote_in_the_meantime(admin, workspace, url):
    form = fields(admin.get(url).text)
    synced_at = timezone.now()
    Workspace.objects.update(claim="worker.1", last_synced_at=synced_at, error="x", attempts=3)

    admin.post(url, form | {"workspace_name": "Evals"})

    workspace.refresh_from_db()
    assert workspace.name == "Evals"
    assert (workspace.claim, workspace.last_synced_at) == ("worker.1", synced_at)
    assert (workspace.error, workspace.attempts) == ("x", 3)


def test_a_round_with_the_old_key_loses_its_claim(admin, workspace, url):
    Workspace.objects.update(claim="worker.1", claimed_until=timezone.now() + timedelta(seconds=30))

    fill(admin, url, new_key=PRODUCTION_KEY)

    workspace.refresh_from_db()
    assert (workspace.claim, workspace.claimed_until) == ("", None)
    assert Workspace.objects.due(timezone.now()).filter(pk=workspace.pk).exists()


def test_a_workspace_is_disabled_and_enabled_again(admin, workspace, url):
    form = fields(admin.get(url).text)
    del form["is_enabled"]

    admin.post(url, form)
    workspace.refresh_from_db()
    assert not workspace.is_enabled
    assert last_outcome() == "Enabled: yes → no"
    assert "Disabled" in words(admin.get("/workspaces/").text)

    fill(admin, url, is_enabled="on")
    workspace.refresh_from_db()
    assert workspace.is_enabled
