"""Deleting a workspace, and accepting the list of another workspace's key."""

import pytest

from batches import cancel
from batches.mirror.workspaces import adopt_environment
from batches.models import AuditEvent, Batch, Cancellation, Workspace
from tests.dashboard.batch.batch_page import words
from tests.dashboard.workspaces.page import RESEARCH_KEY, edit_url


@pytest.fixture
def url(workspace) -> str:
    return f"{edit_url(workspace)}delete/"


def test_the_page_counts_what_is_deleted_and_what_is_kept(admin, url, mirrored, person):
    mirrored(), mirrored(status="ended")
    cancel.cancel_batch(mirrored(), actor=person("operator"), address="", reason="")

    said = words(admin.get(url).text)

    assert "the API key, 3 batches with labels, usage and costs, and 0 failed requests" in said
    assert "1 cancellation and all audit events" in said
    assert "This can’t be undone." in said


def test_the_typed_name_deletes_it_and_keeps_cancellations_and_the_audit(
    admin, url, workspace, mirrored, person
):
    cancel.cancel_batch(mirrored(), actor=person("operator"), address="", reason="")

    response = admin.post(url, {"name": "Research"})

    assert response.status_code == 302
    assert (Workspace.objects.count(), Batch.objects.count()) == (0, 0)
    assert Cancellation.objects.count() == 1
    event = AuditEvent.objects.get(action="workspace deleted")
    assert (event.workspace, event.workspace_id) == ("Research", workspace.pk)
    assert event.outcome.startswith("Deleted: batches (1) with labels")
    assert event.actor == "grace"


@pytest.mark.parametrize(
    "name", ["", "research", "Research ", " Research", "Research\x00", "x" * 9999]
)
def test_a_wrong_name_deletes_nothing(admin, url, name):
    response = admin.post(url, {"name": name})

    assert "That is not the name. Nothing was deleted." in words(response.text)
    assert Workspace.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_page_says_that_the_environments_workspace_comes_back(sign_in, settings, db):
    settings.ANTHROPIC_API_KEY = RESEARCH_KEY
    adopted = adopt_environment()

    page = sign_in("admin", adopted).get(f"{edit_url(adopted)}delete/").text

    assert "The next start with ANTHROPIC_API_KEY set adds it again" in words(page)


def test_a_held_list_is_accepted_with_an_event(admin, workspace):
    Workspace.objects.update(hold="foreign", api_workspace_id="wrkspc_old")

    shown = words(admin.get(edit_url(workspace)).text)
    admin.post(f"{edit_url(workspace)}accept/")

    workspace.refresh_from_db()
    assert "batches here that it lacks then count as deleted upstream" in shown
    assert (workspace.api_workspace_id, workspace.next_attempt_at) == ("", None)
    assert workspace.list_accepted_until is not None
    assert AuditEvent.objects.get().action == "workspace list accepted"


def test_a_list_that_is_not_held_is_not_accepted(admin, workspace):
    Workspace.objects.update(api_workspace_id="wrkspc_old")

    shown = admin.get(edit_url(workspace)).text
    admin.post(f"{edit_url(workspace)}accept/")

    workspace.refresh_from_db()
    assert 'id="accept"' not in shown
    assert workspace.api_workspace_id == "wrkspc_old"
    assert not AuditEvent.objects.exists()
