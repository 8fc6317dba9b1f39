"""API tokens as their owner and an admin see them."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from batches.models import AuditEvent
from dashboard import api_tokens
from dashboard.models import ApiToken
from tests.dashboard.api.conftest import ROOT, give_token, program

URL = "/account/tokens/"
TOKEN = re.compile(r'id="token" class="mono" value="(bb_[0-9A-Za-z]{38})"')


@pytest.fixture
def ada(person, workspace):
    return person("operator", workspace, name="ada")


@pytest.fixture
def mine(ada) -> Client:
    return browser_of(ada)


def browser_of(someone) -> Client:
    client = Client()
    client.force_login(someone, backend="dashboard.roles.RoleBackend")
    return client


def make(mine: Client, workspace, **changes):
    form = {"name": "nightly", "scopes": ["read"], "workspaces": [workspace.pk], "days": "90"}
    return mine.post(URL, form | changes)


def test_a_new_token_is_shown_once_and_works(mine, workspace):
    page = make(mine, workspace, scopes=["read", "label"])

    [text] = TOKEN.findall(page.text)
    assert "no-store" in page["Cache-Control"]
    me = program(text).get(f"{ROOT}/me").json()
    assert me["token"]["scopes"] == ["read", "label"]
    assert [each["slug"] for each in me["workspaces"]] == ["research"]
    listed = mine.get(URL).text
    assert "nightly" in listed
    assert f"bb_…{text[-4:]}" in listed
    assert text not in listed
    token = ApiToken.objects.get()
    assert token.expires_at - token.created_at == timedelta(days=90)
    event = AuditEvent.objects.get(action="token made")
    assert (event.actor, event.person) == ("ada", "ada")
    assert event.outcome == f"“nightly”: read, label; in Research; until {token.expires_at:%F}"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": ""}, "This field is required."),
        ({"scopes": []}, "Choose at least one thing that the token may do."),
        ({"scopes": ["spend"]}, "spend is not one of the available choices."),
        ({"workspaces": []}, "Choose at least one workspace."),
        ({"days": "366"}, "less than or equal to 365"),
        ({"days": "0"}, "greater than or equal to 1"),
    ],
)
def test_an_invalid_token_is_not_made(mine, workspace, changes, problem):
    page = make(mine, workspace, **changes)

    assert problem in page.text
    assert not ApiToken.objects.exists()


def test_a_workspace_of_others_cant_be_chosen(mine, other_workspace):
    make(mine, other_workspace)

    assert not ApiToken.objects.exists()
    assert "Production" not in mine.get(URL).text


def test_a_person_without_a_role_is_told_that_a_token_could_do_nothing(person):
    page = browser_of(person(name="new")).get(URL).text

    assert "You have no role yet" in page
    assert 'id="make-token"' not in page


def test_a_person_has_a_limited_number_of_tokens_that_work(mine, workspace, monkeypatch):
    monkeypatch.setattr(api_tokens, "MOST_PER_PERSON", 2)
    make(mine, workspace)
    make(mine, workspace)

    refused = make(mine, workspace)
    assert "Revoke one first." in refused.text
    assert ApiToken.objects.count() == 2

    ApiToken.objects.update(expires_at=timezone.now())
    assert TOKEN.search(make(mine, workspace).text)


def test_revoking_asks_first_and_ends_the_token_at_once(mine, ada, workspace):
    text = give_token(ada, "read", workspaces=[workspace])
    url = f"{URL}{ApiToken.objects.get().pk}/revoke/"

    asked = mine.get(url).text
    assert "This can’t be undone." in asked
    assert program(text).get(f"{ROOT}/me").status_code == 200
    page = mine.post(url, follow=True).text

    assert "Revoked ci. It has stopped working." in page
    assert program(text).get(f"{ROOT}/me").status_code == 401
    assert "revoked" in page
    event = AuditEvent.objects.get(action="token revoked")
    assert (event.actor, event.person, event.outcome) == ("ada", "ada", "“ci”")
    mine.post(url)
    assert AuditEvent.objects.filter(action="token revoked").count() == 1


def test_an_admin_finds_and_revokes_a_members_token(person, ada, workspace):
    give_token(ada, "read", workspaces=[workspace], name="left behind")
    token = ApiToken.objects.get()
    admin = browser_of(person("admin", workspace, name="grace"))

    page = admin.get(f"/people/{ada.pk}/").text
    answer = admin.post(f"{URL}{token.pk}/revoke/")

    assert "left behind" in page
    assert f"{URL}{token.pk}/revoke/" in page
    assert answer["Location"] == f"/people/{ada.pk}/"
    token.refresh_from_db()
    assert token.revoked_at
    assert AuditEvent.objects.get(action="token revoked").actor == "grace"


@pytest.mark.parametrize("role", ["viewer", "operator", "lead", "admin"])
def test_no_one_else_can_revoke_it_or_learn_of_it(person, ada, workspace, other_workspace, role):
    give_token(ada, "read", workspaces=[workspace])
    url = f"{URL}{ApiToken.objects.get().pk}/revoke/"
    # An admin, too, if ada is in a workspace that they don't manage.
    theirs = [other_workspace] if role == "admin" else [workspace]
    other = browser_of(person(role, *theirs, name="eve"))

    assert other.get(url).status_code == 404
    assert other.post(url).status_code == 404
    assert ApiToken.objects.get().revoked_at is None


def test_the_list_has_the_same_number_of_queries_for_any_number_of_tokens(
    mine, ada, workspace, other_workspace, django_assert_num_queries
):
    for number in range(3):
        give_token(ada, "read", workspaces=[workspace, other_workspace], name=f"t{number}")
        # The session, the person, the tokens, their workspaces, and those of the form.
        with django_assert_num_queries(5):
            mine.get(URL)
