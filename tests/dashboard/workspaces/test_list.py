"""The list of workspaces: their state and key, without those of other teams."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from batches.client import KeyRefused, Unreachable
from batches.models import Workspace
from dashboard.roles import ROLES
from tests.dashboard.batch.batch_page import words
from tests.dashboard.conftest import undecryptable
from tests.dashboard.workspaces.page import ADD, RESEARCH

LIST = "/workspaces/"
LONG_AGO = timedelta(hours=3)
REFUSED = {
    "hold": "refused",
    "last_synced_at": timezone.now() - LONG_AGO,
    "error": str(KeyRefused("No.", status=401)),
    "error_at": timezone.now(),
    "request_id": "req_7",
}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "Up to date synced"),
        ({"backfilled_at": None}, "Up to date; older batches are still loading synced"),
        ({"last_synced_at": None}, "First sync in progress never synced"),
        (REFUSED, "Key refused last synced 3 h"),
        (REFUSED, "Anthropic refused the key (401): No. (request ID req_7)"),
        ({"hold": "foreign"}, "Key of another Anthropic workspace last synced"),
        (
            {"last_synced_at": timezone.now() - LONG_AGO, "error": str(Unreachable("timed out"))},
            "Not answering last synced 3 h",
        ),
        (
            {"last_synced_at": timezone.now() - LONG_AGO, "error": "Something else."},
            "Failing last synced 3 h",
        ),
        ({"last_synced_at": timezone.now() - LONG_AGO}, "Not synced by the worker last synced"),
        ({"is_enabled": False}, "Disabled last synced"),
        ({"api_workspace_id": RESEARCH}, RESEARCH),
        ({"key_hint": "wxyz", "key_set_at": timezone.now() - timedelta(days=3)}, "…wxyz , set 3 d"),
        ({"key_set_at": timezone.now() - timedelta(days=3)}, "set 3 d"),
        ({}, "stored; its age isn’t known"),
        ({"api_key": ""}, "no key stored"),
        ({"from_environment": True}, "from ANTHROPIC_API_KEY"),
    ],
)
def test_it_shows_the_state_and_the_key_of_a_workspace(admin, workspace_has, columns, said):
    workspace_has(**columns)

    assert said in words(admin.get(LIST).text)


def test_without_a_worker_it_says_so(admin, workspace_has, running_worker):
    workspace_has()
    running_worker.delete()

    assert "Worker not running last synced" in words(admin.get(LIST).text)


def test_a_key_that_cannot_be_decrypted_is_named_and_breaks_nothing(admin, workspace, sync):
    undecryptable(workspace)
    sync(workspace)

    assert "Key can’t be decrypted" in words(admin.get(LIST).text)


def test_it_counts_batches_and_members(admin, workspace_has, row, person, workspace):
    workspace_has()
    row("one"), row("two")
    person("viewer", workspace, name="ada")

    page = admin.get(LIST).text

    assert 'data-name="Batches">2<' in page
    assert 'data-name="Members">2<' in page


def test_an_admin_does_not_count_members_they_may_not_see(
    admin, root, admin_user, workspace_has, workspace
):
    workspace_has()
    workspace.members.add(admin_user)

    assert 'data-name="Members">1<' in admin.get(LIST).text
    assert 'data-name="Members">2<' in root.get(LIST).text


def test_an_admin_sees_their_workspaces_and_a_superuser_all(
    admin, root, workspace, other_workspace
):
    as_admin, as_root = admin.get(LIST).text, root.get(LIST).text

    assert "Research" in as_admin
    assert "Production" not in as_admin
    assert "Research" in as_root
    assert "Production" in as_root


@pytest.mark.parametrize("number", [1, 30])
def test_it_takes_five_queries_however_many_workspaces_there_are(
    root, row, django_assert_num_queries, number
):
    row("one")
    for n in range(number):
        Workspace.objects.create(name=f"Team {n}", slug=f"team-{n}", api_key="k")

    # The session, the person, the workspaces, their batches and their members.
    with django_assert_num_queries(5):
        root.get(LIST)


def test_an_admin_without_a_workspace_sees_what_to_do(person, client):
    client.force_login(person("admin"), backend="dashboard.roles.RoleBackend")

    page = client.get(LIST).text

    assert "No workspace yet" in words(page)
    assert f'href="{ADD}"' in page
    assert f'href="{ADD}"' in client.get("/").text


def addresses_and_methods(workspace) -> dict[str, tuple[str, set[str]]]:
    """Each page's address, and the methods that it accepts."""
    pk = [workspace.pk]
    shows, asks = {"get", "head"}, {"get", "head", "post"}
    return {
        "workspace-list": (LIST, shows),
        "workspace-add": (ADD, asks),
        "workspace-edit": (reverse("workspace-edit", args=pk), asks),
        "workspace-delete": (reverse("workspace-delete", args=pk), asks),
        "workspace-accept": (reverse("workspace-accept", args=pk), {"post"}),
    }


METHODS = ("get", "head", "post", "put", "patch", "delete")


@pytest.mark.parametrize("role", ["", "none", *ROLES, "root"])
@pytest.mark.parametrize("name", sorted(addresses_and_methods(Workspace(pk=1))))
def test_each_address_is_only_for_admins_and_its_methods(
    client, person, admin_user, workspace, role, name
):
    if role:
        known = "" if role == "none" else role
        user = admin_user if role == "root" else person(known, workspace, name="ada")
        client.force_login(user, backend="dashboard.roles.RoleBackend")
    address, taken = addresses_and_methods(workspace)[name]

    statuses = {method: getattr(client, method)(address).status_code for method in METHODS}

    good = 302 if name == "workspace-accept" else 200
    expected = {method: good if method in taken else 405 for method in METHODS}
    if role not in {"admin", "root"}:
        expected = dict.fromkeys(METHODS, 403 if role else 302)
    assert statuses == expected
    assert Workspace.objects.filter(pk=workspace.pk).exists()


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("workspace-edit", "get"),
        ("workspace-edit", "post"),
        ("workspace-delete", "get"),
        ("workspace-delete", "post"),
        ("workspace-accept", "post"),
    ],
)
def test_another_teams_workspace_is_404(admin, other_workspace, name, method):
    Workspace.objects.update(hold="foreign")

    answer = getattr(admin, method)(
        reverse(name, args=[other_workspace.pk]), {"name": "Production"}
    )

    assert answer.status_code == 404
    other_workspace.refresh_from_db()
    assert other_workspace.hold == "foreign"


@pytest.mark.parametrize("number", ["0", "999", "9" * 30])
def test_a_workspace_that_does_not_exist_is_404(root, number):
    assert root.get(f"/workspaces/{number}/").status_code == 404


def test_no_cache_keeps_a_form(admin, workspace):
    for address in (ADD, reverse("workspace-edit", args=[workspace.pk])):
        assert "no-store" in admin.get(address)["Cache-Control"]
