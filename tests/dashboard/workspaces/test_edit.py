"""Editing: what is stored stays where it may be sent, and nobody's save undoes another's."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from batches.mirror.workspaces import adopt_environment
from batches.models import AuditEvent, Workspace
from tests.dashboard.batch.batch_page import words
from tests.dashboard.conftest import undecryptable
from tests.dashboard.workspaces.page import (
    PRODUCTION,
    PRODUCTION_KEY,
    RESEARCH,
    RESEARCH_KEY,
    WRONG_KEY,
    edit_url,
    fields,
    fill,
    second_press,
)

HEADERS = "x-team: topsecret-7\r\ncf-aig-authorization: Bearer topsecret"


@pytest.fixture
def url(workspace) -> str:
    return edit_url(workspace)


def outcome(action: str = "workspace changed") -> str:
    return AuditEvent.objects.filter(action=action).latest("pk").outcome


def test_an_empty_key_keeps_the_one_there_is(admin, workspace, url, sandbox):
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


def test_a_key_is_rotated_tested_and_tried_at_once(admin, workspace, url, sandbox):
    Workspace.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=5))

    fill(admin, url, new_key=PRODUCTION_KEY)

    workspace.refresh_from_db()
    assert workspace.api_key == PRODUCTION_KEY
    assert workspace.next_attempt_at is None
    assert sandbox.calls == [("GET", "/v1/messages/batches")]
    fill(admin, url, new_key=WRONG_KEY.replace("CCcc", "DDdd"), test="1")
    assert outcome() == (
        f"API key: one that is not shown → …BBbb; Anthropic accepted the key for {PRODUCTION}"
    )


def test_the_audit_names_a_key_by_its_last_characters_before_and_after(admin, url):
    fill(admin, url, new_key=PRODUCTION_KEY)
    fill(admin, url, new_key=RESEARCH_KEY)

    assert "API key: …BBbb → …AAaa" in outcome()


def test_a_short_key_is_not_shown_in_part(admin, workspace, url):
    asked = fill(admin, url, new_key="short-key12")
    admin.post(url, second_press(admin.post(url, second_press(asked.text)).text))

    workspace.refresh_from_db()
    assert (workspace.api_key, workspace.key_hint) == ("short-key12", "")
    assert "key12" not in admin.get(url).text + admin.get("/workspaces/").text + outcome()


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "https://evil.example"},
        {"base_url": "https://api.anthropic.com.evil.example"},
        {"base_url": "https://api.anthropic.com:444"},
        {"base_url": "https://api.anthropic.com/proxy"},
        {"auth": "bearer"},
        {"anthropic_workspace_id": "wrkspc_other"},
        {"new_headers": "x-forward-to: https://evil.example"},
    ],
)
@pytest.mark.parametrize("press", [{}, {"test": "1"}])
def test_a_stored_key_is_never_sent_elsewhere_without_being_typed_again(
    admin, workspace, url, sandbox, change, press
):
    before = Workspace.objects.values().get(pk=workspace.pk)

    refused = fill(admin, url, **change, **press)

    assert "Type the key again" in words(refused.text)
    assert Workspace.objects.values().get(pk=workspace.pk) == before
    assert sandbox.calls == []


def test_with_the_key_typed_again_all_of_it_can_change(admin, workspace, url, sandbox):
    saved = fill(
        admin, url, new_key=RESEARCH_KEY, base_url="https://gateway.example", auth="bearer",
        anthropic_workspace_id=RESEARCH, new_headers=HEADERS,
    )  # fmt: skip

    workspace.refresh_from_db()
    assert saved.status_code == 302
    assert (workspace.base_url, workspace.auth) == ("https://gateway.example", "bearer")
    assert workspace.anthropic_workspace_id == RESEARCH
    assert "Address: “https://api.anthropic.com” → “https://gateway.example”" in outcome()
    assert "Kind of key: “x-api-key” → “bearer”" in outcome()
    assert f"Anthropic workspace ID: none → “{RESEARCH}”" in outcome()
    assert "Extra headers: x-team added, cf-aig-authorization added" in outcome()


def with_headers(admin, url) -> None:
    fill(admin, url, new_key=RESEARCH_KEY, new_headers=HEADERS)


def test_extra_headers_are_stored_encrypted_sent_and_never_shown(
    admin, workspace, url, answer_with
):
    requests = answer_with(200, json={"data": [], "has_more": False})

    with_headers(admin, url)
    kept = fill(admin, url, workspace_name="Evals")

    workspace.refresh_from_db()
    assert kept.status_code == 302
    assert workspace.extra_headers == HEADERS.replace("\r", "")
    assert requests[0].headers["x-team"] == "topsecret-7"
    assert "Some are stored, set" in words(admin.get(url).text)
    assert "topsecret" not in admin.get(url).text
    assert "topsecret" not in outcome()


def test_stored_headers_are_never_sent_to_another_address(admin, workspace, url, sandbox):
    with_headers(admin, url)
    calls = len(sandbox.calls)

    refused = fill(admin, url, new_key=RESEARCH_KEY, base_url="https://evil.example")

    assert "Type the headers again, or remove them" in words(refused.text)
    workspace.refresh_from_db()
    assert workspace.base_url == "https://api.anthropic.com"
    assert len(sandbox.calls) == calls


def test_stored_headers_can_be_replaced_and_removed(admin, workspace, url):
    with_headers(admin, url)

    fill(admin, url, new_key=RESEARCH_KEY, new_headers="x-team: 8\nx-new: 1")
    replaced = outcome()
    fill(admin, url, new_key=RESEARCH_KEY, without_headers="on")

    workspace.refresh_from_db()
    assert workspace.extra_headers == ""
    assert "x-new added, cf-aig-authorization removed, x-team changed" in replaced
    assert "Extra headers: x-team removed, x-new removed" in outcome()


@pytest.mark.parametrize(
    "text",
    [
        "topsecret",
        "x-api-key: topsecret",
        "a b: topsecret",
        "x: 1\nX: topsecret",
        "host: topsecret",
        "x: a\x0btopsecret",
    ],
)
def test_headers_that_cannot_be_sent_are_refused_without_being_repeated(
    admin, workspace, url, sandbox, text
):
    response = fill(admin, url, new_key=RESEARCH_KEY, new_headers=text)

    workspace.refresh_from_db()
    assert "Nothing was saved." in words(response.text)
    assert 'id="id_new_headers_error"' in response.text
    assert text not in response.text
    assert workspace.extra_headers == ""
    assert sandbox.calls == []


def test_headers_cannot_be_replaced_and_removed_at_once(admin, url):
    with_headers(admin, url)

    refused = fill(admin, url, new_key=RESEARCH_KEY, new_headers="x: 1", without_headers="on")

    assert "Either type new headers or remove the stored ones." in words(refused.text)


@pytest.mark.parametrize(
    "address",
    [
        "http://gateway.example",
        "HTTP://api.anthropic.com",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://2130706433",
        "http://0.0.0.0",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:10.0.0.1]",
        "http://localhost@evil.example",
        "https://user:topsecret@evil.example",
        "https://evil.example?x=1",
        "https://evil.example#x",
        "https://",
        "https://a b",
        "https://[::1",
        "https://evil.example:99999",
        "ftp://evil.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "api.anthropic.com",
        "https://" + "x" * 300 + ".example",
        "https://evil.example/\r\nx: 1",
        "",
    ],
)
def test_an_address_that_keys_must_not_be_sent_to_is_refused(
    admin, workspace, url, sandbox, settings, address
):
    settings.BATCHBOARD_ALLOW_HTTP = False

    response = fill(admin, url, new_key=RESEARCH_KEY, base_url=address)

    assert 'id="id_base_url_error"' in response.text
    workspace.refresh_from_db()
    assert workspace.base_url == "https://api.anthropic.com"
    assert sandbox.calls == []


@pytest.mark.parametrize(
    "address",
    ["http://localhost:8010", "http://127.0.0.1:8010", "http://[::1]:8010", "http://a.localhost",
     "https://gateway", "https://münchen.example"],
)  # fmt: skip
def test_this_machine_may_be_reached_over_http_and_any_host_over_https(
    admin, workspace, url, settings, address
):
    settings.BATCHBOARD_ALLOW_HTTP = False

    fill(admin, url, new_key=RESEARCH_KEY, base_url=address)

    workspace.refresh_from_db()
    assert workspace.base_url == address


def test_http_can_be_allowed(admin, workspace, url, settings):
    settings.BATCHBOARD_ALLOW_HTTP = True

    fill(admin, url, new_key=RESEARCH_KEY, base_url="http://gateway.example")

    workspace.refresh_from_db()
    assert workspace.base_url == "http://gateway.example"


def test_a_workspace_stored_with_http_says_why_it_no_longer_syncs(
    admin, workspace, url, settings, sync, sandbox
):
    Workspace.objects.update(base_url="http://gateway.example")
    settings.BATCHBOARD_ALLOW_HTTP = False

    assert not sync(workspace)

    said = words(admin.get("/workspaces/").text)
    assert "begins with http://, so anyone on the network could read the key" in said
    assert "BATCHBOARD_ALLOW_HTTP=1" in said
    assert sandbox.calls == []


def test_a_typed_key_is_kept_for_ten_minutes_and_no_longer(admin, workspace, url):
    with time_machine.travel(timezone.now(), tick=False) as clock:
        asked = fill(admin, url, new_key=WRONG_KEY)
        clock.shift(timedelta(minutes=10, seconds=1))
        late = admin.post(url, second_press(asked.text))

    workspace.refresh_from_db()
    assert "Paste the key again" in words(late.text)
    assert workspace.api_key == RESEARCH_KEY


@pytest.mark.parametrize("change", [{"base_url": "https://evil.example"}, {"auth": "bearer"}])
def test_a_kept_key_is_sent_nowhere_else(admin, workspace, url, sandbox, change):
    asked = fill(admin, url, new_key=WRONG_KEY)
    calls = len(sandbox.calls)

    refused = admin.post(url, second_press(asked.text) | change)

    workspace.refresh_from_db()
    assert "Paste the key again" in words(refused.text)
    assert workspace.api_key == RESEARCH_KEY
    assert len(sandbox.calls) == calls


def test_a_kept_key_is_of_use_to_nobody_else_and_for_no_other_workspace(
    admin, sign_in, workspace, other_workspace, url
):
    held = second_press(fill(admin, url, new_key=WRONG_KEY).text)
    eve = sign_in("admin", workspace, other_workspace, name="eve")
    Workspace.objects.update(base_url=workspace.base_url)
    elsewhere = edit_url(other_workspace)

    as_eve = eve.post(url, fields(eve.get(url).text) | {"held": held["held"]})
    for_other = eve.post(elsewhere, fields(eve.get(elsewhere).text) | {"held": held["held"]})
    forged = admin.post(url, fields(admin.get(url).text) | {"held": "gAAAAA"})

    for answer in (as_eve, for_other, forged):
        assert "Paste the key again" in words(answer.text)
    assert {each.api_key for each in Workspace.objects.all()} == {RESEARCH_KEY, PRODUCTION_KEY}


def test_a_stored_secret_is_no_kept_key(admin, workspace, url):
    with_headers(admin, url)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key FROM batches_workspace WHERE id = %s", [workspace.pk])
        (stored,) = cursor.fetchone()

    refused = admin.post(url, fields(admin.get(url).text) | {"held": stored})

    assert "Paste the key again" in words(refused.text)


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
    assert outcome("workspace list accepted")
    assert sync(workspace)
    assert workspace.api_workspace_id == PRODUCTION


def test_an_answer_about_one_workspace_does_not_hold_for_another(
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


def test_a_new_key_of_the_same_workspace_is_not_asked_about(admin, workspace, url, mirrored):
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
        assert "The stored key can’t be decrypted: type it again." in words(answer.text)
    assert (renamed.status_code, saved.status_code) == (302, 302)
    workspace.refresh_from_db()
    assert workspace.api_key == RESEARCH_KEY


def test_saving_leaves_what_the_worker_wrote_meanwhile(admin, workspace, url):
    form = fields(admin.get(url).text)
    synced_at = timezone.now()
    Workspace.objects.update(claim="worker.1", last_synced_at=synced_at, error="x", attempts=3)

    admin.post(url, form | {"workspace_name": "Evals"})

    workspace.refresh_from_db()
    assert workspace.name == "Evals"
    assert (workspace.claim, workspace.last_synced_at) == ("worker.1", synced_at)
    assert (workspace.error, workspace.attempts) == ("x", 3)


def test_a_round_with_the_old_key_can_decide_nothing_after_the_save(admin, workspace, url):
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
    assert outcome() == "Enabled: yes → no"
    assert "Disabled" in words(admin.get("/workspaces/").text)

    fill(admin, url, is_enabled="on")
    workspace.refresh_from_db()
    assert workspace.is_enabled


def test_members_are_added_and_removed_with_an_event_each(admin, person, workspace, url):
    ada, bob = person("viewer", workspace, name="ada"), person("viewer", name="bob")
    form = fields(admin.get(url).text)
    grace = next(number for number in form["members"] if number != str(ada.pk))

    admin.post(url, form | {"members": [grace, bob.pk]})

    assert sorted(workspace.members.values_list("username", flat=True)) == ["bob", "grace"]
    events = AuditEvent.objects.filter(action__startswith="member").order_by("pk")
    assert [(event.action, event.person, event.workspace) for event in events] == [
        ("member added", "bob", "Research"),
        ("member removed", "ada", "Research"),
    ]


def test_members_whom_the_admin_cannot_see_stay(admin, admin_user, workspace, url):
    workspace.members.add(admin_user)

    fill(admin, url, workspace_name="Evals")

    assert workspace.members.filter(pk=admin_user.pk).exists()
    assert f"> {admin_user.username}" not in admin.get(url).text


def test_leaving_a_workspace_is_asked_about(admin, workspace, url):
    asked = fill(admin, url, members=[])

    assert "You would no longer be a member of Research." in words(asked.text)
    assert workspace.members.count() == 1

    admin.post(url, second_press(asked.text))

    assert workspace.members.count() == 0
    assert admin.get(url).status_code == 404


@pytest.fixture
def mine(settings, person):
    """The environment's workspace, of which grace is a member."""
    settings.ANTHROPIC_API_KEY = RESEARCH_KEY
    settings.ANTHROPIC_BASE_URL = "https://gateway.example"
    settings.ANTHROPIC_CUSTOM_HEADERS = {"x-team": "topsecret-7"}
    return adopt_environment()


def test_the_environments_workspace_shows_what_comes_from_there(sign_in, mine):
    page = sign_in("admin", mine).get(edit_url(mine)).text

    said = words(page)
    assert "API key from ANTHROPIC_API_KEY" in said
    assert "Address https://gateway.example" in said
    assert "x-team" in said
    assert "topsecret-7" not in page
    for name in ("new_key", "base_url", "auth", "new_headers", "anthropic_workspace_id"):
        assert f'name="{name}"' not in page


def test_where_the_environments_key_is_sent_can_not_be_changed(sign_in, mine, sandbox):
    admin = sign_in("admin", mine)

    fill(
        admin, edit_url(mine), workspace_name="Evals", base_url="https://evil.example",
        auth="bearer", new_key=PRODUCTION_KEY, new_headers="x-forward-to: evil",
        anthropic_workspace_id="wrkspc_evil",
    )  # fmt: skip

    mine.refresh_from_db()
    assert mine.name == "Evals"
    assert (mine.base_url, mine.sent_as) == ("https://gateway.example", "x-api-key")
    assert (mine.api_key, mine.extra_headers, mine.anthropic_workspace_id) == ("", "", "")
    assert sandbox.calls == []


def test_the_environments_key_can_be_tested(sign_in, mine, settings):
    admin = sign_in("admin", mine)

    works = fill(admin, edit_url(mine), test="1")
    settings.ANTHROPIC_API_KEY = ""
    unset = fill(admin, edit_url(mine), test="1")

    assert f"It is for the Anthropic workspace {RESEARCH}." in words(works.text)
    assert "ANTHROPIC_API_KEY is not set for the web process." in words(unset.text)


def test_the_form_takes_as_many_queries_whoever_the_people_are(
    admin, url, person, workspace, django_assert_max_num_queries
):
    for number in range(40):
        person("viewer", *[workspace][: number % 2], name=f"person{number}")

    with django_assert_max_num_queries(6):
        admin.get(url)


def test_a_member_who_is_deactivated_stays_a_member(admin, person, workspace, url):
    bob = person("viewer", workspace, name="bob")
    type(bob).objects.filter(pk=bob.pk).update(is_active=False)

    page = admin.get(url).text
    fill(admin, url, workspace_name="Evals")

    assert "bob (deactivated)" in words(page)
    assert workspace.members.filter(pk=bob.pk).exists()
