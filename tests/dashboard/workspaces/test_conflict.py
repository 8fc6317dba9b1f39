"""Two admins who edit the same workspace don't overwrite each other's changes."""

import threading

import pytest
from django.db import connection, connections
from django.http import QueryDict
from django.test import Client

from batches.models import AuditEvent, Workspace
from dashboard.workspaces import saving
from dashboard.workspaces.form import WorkspaceForm
from tests.dashboard.batch.batch_page import words
from tests.dashboard.workspaces.page import (
    PRODUCTION_KEY,
    RESEARCH_KEY,
    edit_url,
    fields,
    fill,
)

NOTICE = "Someone else edited this while you were typing. Nothing was saved."


@pytest.fixture
def eve(sign_in, workspace) -> Client:
    """The browser of another admin of Research."""
    return sign_in("admin", workspace, name="eve")


def test_what_someone_else_saved_is_shown_with_what_was_typed(admin, eve, workspace, url):
    opened = fields(admin.get(url).text)
    fill(eve, url, workspace_name="By Eve")

    conflict = admin.post(url, opened | {"workspace_name": "By Grace"})

    workspace.refresh_from_db()
    assert NOTICE in words(conflict.text)
    assert "Name: “Research” → “By Eve”" in words(conflict.text)
    assert fields(conflict.text)["workspace_name"] == "By Grace"
    assert workspace.name == "By Eve"


def test_a_second_save_overwrites_their_change(admin, eve, workspace, url):
    opened = fields(admin.get(url).text)
    fill(eve, url, workspace_name="By Eve")
    conflict = admin.post(url, opened | {"workspace_name": "By Grace"})

    saved = admin.post(url, fields(conflict.text))

    workspace.refresh_from_db()
    assert saved.status_code == 302
    assert workspace.name == "By Grace"
    event = AuditEvent.objects.filter(action="workspace changed").latest("pk")
    assert event.outcome == "Name: “By Eve” → “By Grace”"


def test_an_unchanged_field_keeps_what_someone_else_saved(admin, eve, workspace, url):
    opened = fields(admin.get(url).text)
    fill(eve, url, slug="by-eve")

    conflict = admin.post(url, opened | {"workspace_name": "By Grace"})
    admin.post(url, fields(conflict.text))

    workspace.refresh_from_db()
    assert (workspace.name, workspace.slug) == ("By Grace", "by-eve")


def test_members_that_someone_else_added_or_removed_stay_so(admin, eve, person, workspace, url):
    ada, bob, _ = (person("viewer", workspace, name=name) for name in ("ada", "bob", "cem"))
    dan = person("viewer", name="dan")
    opened = fields(admin.get(url).text)
    others_form = fields(eve.get(url).text)
    others = [number for number in others_form["members"] if number != str(ada.pk)]
    eve.post(url, others_form | {"members": [*others, dan.pk]})

    without_bob = [number for number in opened["members"] if number != str(bob.pk)]
    conflict = admin.post(url, opened | {"members": without_bob})
    assert NOTICE in words(conflict.text)
    assert "Member: ada → none" in words(conflict.text)
    assert "Member: none → dan" in words(conflict.text)
    admin.post(url, fields(conflict.text))

    assert sorted(workspace.members.values_list("username", flat=True)) == [
        "cem", "dan", "eve", "grace",
    ]  # fmt: skip


def test_a_membership_that_someone_else_removed_is_a_conflict_too(admin, person, workspace, url):
    ada = person("viewer", workspace, name="ada")
    opened = fields(admin.get(url).text)
    workspace.members.remove(ada)

    conflict = admin.post(url, opened | {"workspace_name": "Evals"})

    assert "Member: ada → none" in words(conflict.text)
    assert not workspace.members.filter(pk=ada.pk).exists()


def test_a_key_that_someone_else_set_is_not_replaced_without_asking(admin, eve, workspace, url):
    opened = fields(admin.get(url).text)
    fill(eve, url, new_key=PRODUCTION_KEY)

    conflict = admin.post(url, opened | {"new_key": RESEARCH_KEY})

    workspace.refresh_from_db()
    assert "API key: an older one → a new one" in words(conflict.text)
    assert workspace.api_key == PRODUCTION_KEY

    admin.post(url, fields(conflict.text))

    workspace.refresh_from_db()
    assert workspace.api_key == RESEARCH_KEY


def test_a_typed_key_does_not_follow_an_address_that_someone_else_changed(
    admin, eve, workspace, url, sandbox
):
    opened = fields(admin.get(url).text)
    fill(eve, url, new_key=PRODUCTION_KEY, base_url="https://evil.example")

    conflict = admin.post(url, opened | {"new_key": RESEARCH_KEY})

    assert "Paste the key again" in words(conflict.text)
    workspace.refresh_from_db()
    assert workspace.api_key == PRODUCTION_KEY


@pytest.mark.parametrize("seen", ["", "junk", "x" * 100_000])
def test_a_form_that_does_not_say_what_it_showed_is_not_saved(admin, workspace, url, seen):
    opened = fields(admin.get(url).text)

    conflict = admin.post(url, opened | {"seen": seen, "workspace_name": "Evals"})

    workspace.refresh_from_db()
    assert NOTICE in words(conflict.text)
    assert workspace.name == "Research"
    assert admin.post(url, fields(conflict.text)).status_code == 302


def test_the_state_of_another_workspaces_form_is_not_accepted(
    admin, sign_in, workspace, other_workspace, url
):
    eve = sign_in("admin", workspace, other_workspace, name="eve")
    other = fields(eve.get(edit_url(other_workspace)).text)

    conflict = eve.post(url, fields(eve.get(url).text) | {"seen": other["seen"]})

    assert NOTICE in words(conflict.text)


def test_a_workspace_that_was_deleted_in_the_meantime_is_404(admin, workspace, url):
    opened = fields(admin.get(url).text)
    workspace.delete()

    assert admin.post(url, opened).status_code == 404


def test_an_address_that_changed_for_a_moment_gets_no_stored_key(rf, admin, person, workspace, url):
    """Without a typed key, the address must be the stored one at the moment of saving."""
    opened = fields(admin.get(url).text)
    request = rf.post(url)
    request.user = workspace.members.get()
    moved = Workspace.objects.filter(pk=workspace.pk)
    moved.update(base_url="https://evil.example")
    loaded = Workspace.objects.for_admins().get()
    data = QueryDict(mutable=True)
    data.update({name: opened[name] for name in ("workspace_name", "slug", "auth", "seen")})
    data.update({"base_url": "https://evil.example", "is_enabled": "on"})
    data.setlist("members", opened["members"])
    form = WorkspaceForm(request.user, loaded, data)
    assert form.is_valid()
    moved.update(base_url=workspace.base_url)

    with pytest.raises(saving.ChangedMeanwhile):
        saving.save_workspace(request, form, None)

    assert moved.get().base_url == "https://api.anthropic.com"


def test_of_two_saves_at_once_one_is_stored_and_the_other_is_a_conflict(
    committed, sandbox, person, workspace, running_worker
):
    """Both requests have validated their form before either saves."""
    url = edit_url(workspace)
    browsers = []
    for name in ("grace", "eve"):
        browser = Client()
        browser.force_login(
            person("admin", workspace, name=name), backend="dashboard.roles.RoleBackend"
        )
        browsers.append((browser, name))
    opened = {name: fields(browser.get(url).text) for browser, name in browsers}
    both, answers = threading.Barrier(2), {}

    def save(browser: Client, name: str) -> None:
        both.wait(timeout=30)
        answers[name] = browser.post(url, opened[name] | {"workspace_name": f"By {name}"})
        connections.close_all()

    threads = [threading.Thread(target=save, args=each) for each in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    statuses = {name: answer.status_code for name, answer in answers.items()}
    assert sorted(statuses.values()) == [200, 302]
    winner = next(name for name, status in statuses.items() if status == 302)
    loser = next(name for name, status in statuses.items() if status == 200)
    assert Workspace.objects.get().name == f"By {winner}"
    assert NOTICE in words(answers[loser].text)
    assert AuditEvent.objects.filter(action="workspace changed").count() == 1


def test_a_key_is_tested_outside_a_transaction(
    committed, sandbox, sign_in, workspace, monkeypatch, running_worker
):
    in_transaction = []
    answer = type(sandbox).__call__

    def watched(self, environ, start_response):
        in_transaction.append(connection.in_atomic_block)
        return answer(self, environ, start_response)

    monkeypatch.setattr(type(sandbox), "__call__", watched)
    fill(sign_in("admin"), edit_url(workspace), new_key=RESEARCH_KEY)

    assert in_transaction == [False]


def test_an_admin_who_is_removed_during_the_test_saves_nothing(
    admin, workspace, url, during_test, person
):
    during_test(workspace.members.clear)

    answer = fill(admin, url, new_key=PRODUCTION_KEY)

    workspace.refresh_from_db()
    assert answer.status_code == 404
    assert workspace.api_key == RESEARCH_KEY


def test_an_address_that_changes_during_the_test_gets_no_stored_key(
    admin, workspace, url, during_test
):
    """The key was typed for the old address."""
    during_test(lambda: Workspace.objects.update(base_url="https://evil.example"))

    conflict = fill(admin, url, new_key=PRODUCTION_KEY)

    workspace.refresh_from_db()
    assert NOTICE in words(conflict.text)
    assert workspace.api_key == RESEARCH_KEY
