"""Adding a workspace: its key is tested, stored encrypted, and never shown again."""

import pytest

from batches.models import AuditEvent, Workspace
from tests.dashboard.batch.batch_page import words
from tests.dashboard.workspaces.page import (
    ADD,
    PRODUCTION,
    PRODUCTION_KEY,
    RESEARCH_KEY,
    WRONG_KEY,
    fields,
    fill,
    second_press,
)


def test_a_workspace_is_added_with_its_key_encrypted_and_never_shown(admin, sandbox):
    response = fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals")

    added = Workspace.objects.get(name="Evals")
    assert response.status_code == 302
    assert (added.slug, added.api_key, added.is_enabled) == ("evals", PRODUCTION_KEY, True)
    assert (added.base_url, added.sent_as) == ("https://api.anthropic.com", "x-api-key")
    assert (added.key_hint, added.key_set_at is not None) == ("BBbb", True)
    for url in ("/workspaces/", f"/workspaces/{added.pk}/"):
        page = admin.get(url).text
        assert PRODUCTION_KEY not in page
        assert "…BBbb" in page


def test_the_answer_says_which_anthropic_workspace_the_key_is_for(admin, sandbox):
    fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals")

    said = words(admin.get("/workspaces/").text)

    assert f"Anthropic accepted the key. It is for the Anthropic workspace {PRODUCTION}." in said


def test_the_person_who_adds_a_workspace_becomes_a_member(admin, person, sandbox):
    ada = person("viewer", name="ada")

    fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals", members=[ada.pk])

    added = Workspace.objects.get(name="Evals")
    assert sorted(added.members.values_list("username", flat=True)) == ["ada", "grace"]
    events = AuditEvent.objects.filter(action="member added", workspace_id=added.pk)
    assert sorted(events.values_list("person", flat=True)) == ["ada", "grace"]


def test_a_wrong_key_is_not_stored_before_a_second_press(admin, sandbox):
    refused = fill(admin, ADD, new_key=WRONG_KEY, workspace_name="Evals")

    assert "Anthropic refused the key (401 authentication_error)" in words(refused.text)
    assert "request ID req_" in refused.text
    assert "Nothing is saved yet." in words(refused.text)
    assert WRONG_KEY not in refused.text
    assert not Workspace.objects.filter(name="Evals").exists()


def test_a_wrong_key_can_be_saved_anyway_without_pasting_it_again(admin, sandbox):
    refused = fill(admin, ADD, new_key=WRONG_KEY, workspace_name="Evals")

    saved = admin.post(ADD, second_press(refused.text))

    assert saved.status_code == 302
    assert Workspace.objects.get(name="Evals").api_key == WRONG_KEY
    event = AuditEvent.objects.get(action="workspace added")
    assert "Saved although the test failed: Anthropic refused the key" in event.outcome


def test_a_right_key_after_a_wrong_one_needs_no_second_press(admin, sandbox):
    refused = fill(admin, ADD, new_key=WRONG_KEY, workspace_name="Evals")

    saved = admin.post(ADD, fields(refused.text) | {"new_key": PRODUCTION_KEY})

    assert saved.status_code == 302
    assert Workspace.objects.get(name="Evals").api_key == PRODUCTION_KEY


def test_saving_the_form_after_the_question_asks_again(admin, sandbox):
    refused = fill(admin, ADD, new_key=WRONG_KEY, workspace_name="Evals")

    again = admin.post(ADD, fields(refused.text))

    assert "Save anyway" in again.text
    assert not Workspace.objects.filter(name="Evals").exists()


def test_a_key_that_could_not_be_tested_is_not_stored(admin, sandbox):
    sandbox.fail_next("timeout", times=1)

    page = words(fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals").text)

    assert "Anthropic's API did not answer" in page.replace("&#x27;", "'")
    assert "The key could not be tested." in page
    assert not Workspace.objects.filter(name="Evals").exists()


def test_an_answer_from_another_server_is_not_repeated(admin, answer_with):
    answer_with(200, html="<h1>Intranet: secret plans</h1>")

    page = fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals").text

    assert "does not answer as the Batches API does" in page
    assert "secret plans" not in page


def test_a_redirect_is_not_followed(admin, answer_with):
    requests = answer_with(302, headers={"location": "https://evil.example/"})

    page = fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals").text

    assert "redirects are not followed" in page
    assert [request.url.host for request in requests] == ["api.anthropic.com"]


def test_a_test_is_one_call(admin, sandbox):
    fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals")

    assert sandbox.calls == [("GET", "/v1/messages/batches")]


def test_testing_without_saving_saves_nothing(admin, sandbox):
    page = fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals", test="1").text

    assert f"It is for the Anthropic workspace {PRODUCTION}." in words(page)
    assert "Nothing was saved." in words(page)
    assert not Workspace.objects.filter(name="Evals").exists()
    assert admin.post(ADD, fields(page)).status_code == 302


def test_a_key_of_an_anthropic_workspace_that_is_already_shown_is_questioned(
    admin, sandbox, workspace, sync
):
    sync(workspace)

    asked = fill(admin, ADD, new_key=RESEARCH_KEY, workspace_name="Evals")

    assert "Research already shows this Anthropic workspace" in words(asked.text)
    assert not Workspace.objects.filter(name="Evals").exists()
    assert admin.post(ADD, second_press(asked.text)).status_code == 302


def test_another_teams_workspace_with_the_same_key_is_not_named(
    admin, sandbox, other_workspace, sync
):
    sync(other_workspace)

    saved = fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals")

    assert saved.status_code == 302


@pytest.mark.parametrize("key", ["correct horse 9", "two words", "k\u00e9y-0123456789-0123456789"])
def test_a_key_that_cannot_be_sent_is_refused(admin, sandbox, key):
    response = fill(admin, ADD, new_key=key, workspace_name="Evals")

    assert "The key contains a space" in response.text
    assert sandbox.calls == []


def test_an_admin_key_is_refused_with_the_variable_for_it(admin, sandbox):
    key = "sk-ant-admin01-0123456789-0123456789"

    response = fill(admin, ADD, new_key=key, workspace_name="Evals")

    assert "This is an Admin key, which cannot see batches." in response.text
    assert "ANTHROPIC_ADMIN_KEY" in response.text
    assert key not in response.text
    assert sandbox.calls == []


@pytest.mark.parametrize(
    ("key", "address", "auth"),
    [
        ("correct-horse-9", "https://api.anthropic.com", "x-api-key"),
        ("a-password-of-more-than-20", "https://api.anthropic.com", "x-api-key"),
        ("a-password-of-more-than-20", "https://API.Anthropic.com./", "x-api-key"),
        ("ada@example.com-0123456789", "https://gateway.example", "x-api-key"),
        ("short-key", "https://gateway.example", "bearer"),
    ],
)
def test_what_looks_like_a_password_is_not_sent_before_a_second_press(
    admin, sandbox, key, address, auth
):
    asked = fill(admin, ADD, new_key=key, base_url=address, auth=auth, workspace_name="Evals")

    assert "This doesn’t look like an API key." in words(asked.text)
    assert key not in asked.text
    assert sandbox.calls == []
    assert not Workspace.objects.filter(name="Evals").exists()

    tested = admin.post(ADD, second_press(asked.text))
    saved = admin.post(ADD, second_press(tested.text))

    assert "Anthropic refused the key" in tested.text
    assert saved.status_code == 302
    assert Workspace.objects.get(name="Evals").api_key == key


@pytest.mark.parametrize(
    ("key", "auth"),
    [("a-gateway-key-0123456789", "x-api-key"), ("sk-ant-oat01-0123456789", "bearer")],
)
def test_a_gateways_key_and_a_token_are_not_questioned(admin, sandbox, key, auth):
    page = fill(admin, ADD, new_key=key, auth=auth, base_url="https://gateway.example",
                workspace_name="Evals").text  # fmt: skip

    assert "doesn’t look like" not in page
    assert sandbox.calls


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"new_key": ""}, "A workspace needs the API key whose batches it shows."),
        ({"workspace_name": ""}, "This field is required."),
        ({"workspace_name": " "}, "This field is required."),
        ({"workspace_name": "research"}, "Another workspace has this name."),
        ({"workspace_name": "a\u202egpj.exe"}, "It contains a control character"),
        ({"workspace_name": "x" * 101}, "at most 100 characters"),
        ({"slug": "research"}, "Another workspace has this short name."),
        ({"slug": "../../etc"}, "valid “slug”"),
        ({"slug": "x" * 61}, "at most 60 characters"),
        ({"auth": "basic"}, "Select a valid choice."),
        ({"anthropic_workspace_id": "wrkspc\r\nx-evil: 1"}, "IDs look like wrkspc_"),
        ({"members": ["999999"]}, "can’t be added any more"),
        ({"members": ["x"]}, "can’t be added any more"),
        ({"new_key": "sk-ant-api03-" + "x" * 1000}, "at most 1000 characters"),
    ],
)
def test_an_invalid_value_gets_an_error_and_changes_nothing(admin, sandbox, typed, said):
    usual = {"new_key": PRODUCTION_KEY, "workspace_name": "Evals"}

    response = fill(admin, ADD, **(usual | typed))

    assert response.status_code == 200
    assert "Nothing was saved." in words(response.text)
    assert said in words(response.text)
    assert sandbox.calls == []
    assert Workspace.objects.count() == 1


def test_a_problem_elsewhere_does_not_lose_the_key(admin, sandbox):
    refused = fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Research")

    saved = admin.post(ADD, fields(refused.text) | {"workspace_name": "Evals"})

    assert saved.status_code == 302
    assert Workspace.objects.get(name="Evals").api_key == PRODUCTION_KEY


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Research!", "research-2"),
        ("研究", "workspace"),
        ("Équipe d’essai", "equipe-dessai"),
        ("-_-", "workspace"),
        ("x" * 100, "x" * 50),
    ],
)
def test_a_short_name_is_made_from_the_name(admin, sandbox, name, slug):
    fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name=name)

    assert Workspace.objects.get(name=name).slug == slug


def form_of(browser) -> str:
    """The page without its header, which names the person and their role."""
    return browser.get(ADD).text.partition("<main")[2]


def test_an_admin_cannot_choose_superusers(admin, root, admin_user, person, sandbox):
    person("viewer", name="ada")

    assert "ada" in form_of(admin)
    assert admin_user.username not in form_of(admin)
    assert admin_user.username in form_of(root)
    typed = {"new_key": PRODUCTION_KEY, "workspace_name": "Evals"}
    forged = fill(admin, ADD, **typed, members=[admin_user.pk])
    assert "can’t be added any more" in words(forged.text)


def test_a_test_is_refused_while_too_many_others_run(admin, sandbox, monkeypatch):
    from batches import try_key

    monkeypatch.setattr(try_key, "_places", type(try_key._places)(1))
    try_key._places.acquire()

    busy = fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals")
    try_key._places.release()
    saved = admin.post(ADD, fields(busy.text))

    assert "Other keys are being tested. Try again in a few seconds." in words(busy.text)
    assert saved.status_code == 302
    assert len(sandbox.calls) == 1


def test_a_name_that_is_taken_during_the_test_gets_an_error(admin, during_test):
    during_test(lambda: Workspace.objects.create(name="Evals", slug="evals-1"))

    refused = fill(admin, ADD, new_key=PRODUCTION_KEY, workspace_name="Evals")

    assert "Another workspace has this name." in words(refused.text)
    assert Workspace.objects.get(name="Evals").api_key == ""
    assert not AuditEvent.objects.filter(action="workspace added").exists()


def test_a_member_who_is_deleted_during_the_test_gets_an_error(
    committed, admin, person, during_test, running_worker
):
    ada = person("viewer", name="ada")
    typed = {"new_key": PRODUCTION_KEY, "workspace_name": "Evals", "members": [ada.pk]}
    during_test(lambda: type(ada).objects.filter(pk=ada.pk).delete())

    refused = fill(admin, ADD, **typed)

    assert "can’t be added any more" in words(refused.text)
    assert not Workspace.objects.filter(name="Evals").exists()


def test_a_key_can_be_tested_before_the_workspace_has_a_name(admin, sandbox):
    tested = fill(admin, ADD, new_key=PRODUCTION_KEY, test="1")

    assert "Anthropic accepted the key." in words(tested.text)


def test_people_are_shown_by_name_and_deactivated_people_are_not(admin, person, sandbox):
    ada, bob = person("viewer", name="ada"), person("viewer", name="bob")
    type(ada).objects.filter(pk=ada.pk).update(first_name="Ada", last_name="Lovelace")
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)

    page = words(admin.get(ADD).text)

    assert "ada (Ada Lovelace)" in page
    assert "bob" not in page


def test_many_people_are_collapsed_except_the_members(admin, person, sandbox):
    for number in range(30):
        person("viewer", name=f"person{number}")

    assert "30 more people" in words(admin.get(ADD).text)
