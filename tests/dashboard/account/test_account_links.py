"""Password links: made by an admin, used once by the person, and never stored."""

import html
import logging
import re
from datetime import UTC, datetime, timedelta

import pytest
import structlog
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batches.models import AuditEvent
from dashboard import logs
from dashboard.models import PasswordLink, Session
from dashboard.password_links import LinkNotValid, make_link, use_link
from tests.dashboard.people.people_pages import edit

NEW = "a much longer battery"
WRONG = "This link doesn’t work"


def link_in(page: str) -> str:
    """The path of the link that the page shows."""
    url = html.unescape(re.search(r'id="password-link"[^>]*value="([^"]+)"', page)[1])
    return url.removeprefix("http://testserver")


@pytest.fixture
def ada(person, workspace) -> User:
    return person("viewer", workspace, name="ada")


@pytest.fixture
def admin(sign_in) -> Client:
    return sign_in("admin", name="grace")


@pytest.fixture
def link(admin, ada) -> str:
    """The path of a link to set ada's password."""
    return link_in(admin.post(reverse("person-link", args=[ada.pk])).text)


def set_password(browser: Client, link: str, password: str = NEW):
    """Open the link, and send the form that it leads to."""
    opened = browser.get(link)
    form = opened.url if opened.status_code == 302 else link
    return browser.post(form, {"new_password1": password, "new_password2": password})


def signs_in(name: str, password: str) -> bool:
    answer = Client().post(reverse("login"), {"username": name, "password": password})
    return answer.status_code == 302


def test_a_link_sets_the_password_and_redirects_to_the_sign_in(client, link, ada):
    answer = set_password(client, link)
    page = client.get(answer.url).text

    assert answer.url == reverse("login")
    assert "Your password is set. Sign in with it." in page
    assert client.get("/").status_code == 302
    assert signs_in("ada", NEW)


def test_the_page_of_a_link_says_whose_password_it_sets(client, link):
    page = client.get(link, follow=True).text

    assert "ada" in page
    assert "grace" not in page


def test_the_token_leaves_the_address_before_a_page_is_shown(client, link):
    opened = client.get(link)

    assert opened.status_code == 302
    assert link.split("/")[-2] not in opened.url
    assert "no-store" in opened["Cache-Control"]
    assert "no-store" in client.get(opened.url)["Cache-Control"]


def test_a_link_works_once(link):
    set_password(Client(), link)

    again = set_password(Client(), link, "another long battery")

    assert WRONG in again.text
    assert signs_in("ada", NEW)


def test_a_form_that_was_open_before_the_link_was_used_sets_nothing(link):
    slow = Client()
    form = slow.get(link).url
    set_password(Client(), link)

    late = slow.post(form, {"new_password1": "another long 7", "new_password2": "another long 7"})

    assert WRONG in late.text
    assert signs_in("ada", NEW)


def test_the_second_use_of_a_link_is_refused(db, ada):
    token = make_link(ada)[0].split("/")[-2]
    use_link(ada.pk, token, NEW)

    with pytest.raises(LinkNotValid):
        use_link(ada.pk, token, "another long battery")


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_preview_in_a_chat_does_not_use_up_the_link(client, link, method):
    preview = Client()
    opened = getattr(preview, method)(link)
    getattr(preview, method)(opened.url)

    answer = set_password(client, link)

    assert answer.url == reverse("login")


def test_a_link_works_for_a_day(client, admin, ada):
    with time_machine.travel(datetime(2026, 11, 24, 12, tzinfo=UTC), tick=False):
        # A session from now would not be valid at that time.
        admin.force_login(User.objects.get(username="grace"))
        page = admin.post(reverse("person-link", args=[ada.pk])).text
    link = link_in(page)

    with time_machine.travel(datetime(2026, 11, 25, 11, 59, tzinfo=UTC), tick=False):
        in_time = client.get(link)
    with time_machine.travel(datetime(2026, 11, 25, 12, 1, tzinfo=UTC), tick=False):
        too_late = client.get(link)

    assert "until <strong>Wed 25 Nov 2026, 12:00 UTC</strong>" in page
    assert in_time.status_code == 302
    assert WRONG in too_late.text
    assert "ask an admin of this Batchboard for a new link" in too_late.text


def test_a_form_that_was_left_open_for_a_day_sets_nothing(client, link, ada):
    form = client.get(link).url

    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        set_password(client, form)

    ada.refresh_from_db()
    assert not ada.has_usable_password()


def test_a_newer_link_replaces_the_older(admin, ada, link):
    newer = link_in(admin.post(reverse("person-link", args=[ada.pk])).text)

    assert WRONG in set_password(Client(), link).text
    assert set_password(Client(), newer).url == reverse("login")


def test_a_new_link_ends_the_old_password_and_every_session(admin, ada):
    browser = Client()
    browser.post(reverse("login"), {"username": "ada", "password": "correct horse 9"})
    assert browser.get("/").status_code == 200

    admin.post(reverse("person-link", args=[ada.pk]))

    assert not Session.objects.filter(user_id=ada.pk).exists()
    assert browser.get("/").status_code == 302
    assert not signs_in("ada", "correct horse 9")


def test_the_link_of_a_deactivated_person_does_not_work(client, link, ada):
    User.objects.filter(pk=ada.pk).update(is_active=False)

    assert WRONG in client.get(link).text
    assert WRONG in set_password(client, link).text


@pytest.mark.parametrize("state", ["deactivated", "active"])
def test_a_link_from_before_a_deactivation_never_works_again(admin, client, link, ada, state):
    edit(admin, ada, state="deactivated")
    if state == "active":
        edit(admin, ada, state="active")

    assert WRONG in set_password(client, link).text


def test_a_new_e_mail_address_ends_the_link(admin, client, link, ada):
    edit(admin, ada, email="new@example.com")

    assert WRONG in set_password(client, link).text
    assert "needs a new link" in admin.get(reverse("person-list")).text


@pytest.mark.parametrize(
    "forge",
    [
        lambda number, token: ("MTIzNDU2", token),
        lambda number, token: (number, token[:-1] + ("0" if token[-1] != "0" else "1")),
        lambda number, token: (number, "set-password"),
        lambda number, token: (number, "x"),
        lambda number, token: ("w6nDqQ", token),
        lambda number, token: ("====", token),
        lambda number, token: ("OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", token),
        lambda number, token: ("AA", token),
    ],
)
def test_a_forged_link_is_refused(client, link, forge):
    _, number, token, _ = link.removeprefix("/account").split("/")[1:]

    answer = client.get(reverse("password-link", args=forge(number, token)))

    assert answer.status_code == 200
    assert WRONG in answer.text


def test_another_persons_token_is_refused(client, admin, person, workspace, link):
    bob = person("viewer", workspace, name="bob")
    other = link_in(admin.post(reverse("person-link", args=[bob.pk])).text)

    mixed = "/".join([*link.split("/")[:-2], other.split("/")[-2], ""])

    assert WRONG in client.get(mixed).text


def test_the_form_belongs_to_the_browser_that_opened_the_link(link, ada):
    form = Client().get(link).url

    answer = Client().post(form, {"new_password1": NEW, "new_password2": NEW})

    assert WRONG in answer.text
    ada.refresh_from_db()
    assert not ada.has_usable_password()


@pytest.mark.parametrize(
    ("password", "again", "sentence"),
    [
        ("short", "short", "too short"),
        ("password123", "password123", "too common"),
        ("ada-ada-ada", "ada-ada-ada2", "didn’t match"),
        ("", "", "required"),
    ],
)
def test_an_unsuitable_password_does_not_use_up_the_link(client, link, password, again, sentence):
    form = client.get(link).url

    refused = client.post(form, {"new_password1": password, "new_password2": again})
    accepted = client.post(form, {"new_password1": NEW, "new_password2": NEW})

    assert sentence in refused.text
    assert accepted.url == reverse("login")


def test_a_password_like_the_username_is_refused(client, admin, person, workspace):
    person("viewer", workspace, name="christopher")
    someone = User.objects.get(username="christopher")
    link = link_in(admin.post(reverse("person-link", args=[someone.pk])).text)

    assert "too similar" in set_password(client, link, "christopher1").text


def test_an_admin_who_opens_the_link_is_warned_and_stays_signed_in(admin, link):
    page = admin.get(link, follow=True).text
    set_password(admin, link)

    assert "You are signed in as grace. This sets the password of ada." in page
    assert admin.get(reverse("person-list")).status_code == 200


def test_setting_a_password_is_audited_with_its_person_and_address(client, link, ada):
    set_password(client, link)

    event = AuditEvent.objects.get(action="password set")
    assert (event.actor, event.actor_id, event.person) == ("ada", ada.pk, "ada")
    assert event.address == "127.0.0.1"


def test_a_set_password_ends_the_lock_of_failed_sign_ins(client, link):
    for _ in range(5):
        assert not signs_in("ada", "guess")

    set_password(client, link)

    assert signs_in("ada", NEW)


def test_the_link_and_its_token_are_not_stored(link, ada):
    token = link.split("/")[-2]

    events = [repr(vars(event)) for event in AuditEvent.objects.all()]
    sessions = [session.get_decoded() for session in Session.objects.all()]
    stored = repr([events, sessions, list(PasswordLink.objects.values())])

    assert "password link made" in stored
    assert token not in stored


def test_making_a_link_is_audited_with_its_expiry_alone(link):
    event = AuditEvent.objects.get(action="password link made")

    assert (event.actor, event.person) == ("grace", "ada")
    assert re.fullmatch(r"valid until \w{3} \d\d \w{3} \d{4}, \d\d:\d\d UTC", event.outcome)


@pytest.fixture
def log(caplog):
    """A function that returns what the processes would log, including Django's own records."""
    line = dict(logs.configuration(level="DEBUG", style="text")["formatters"]["line"])
    formatter = line.pop("()")(**line)
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(formatter.format(record) for record in caplog.records)


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_no_log_line_of_a_refused_method_contains_the_token(client, link, log, method):
    refused = getattr(client, method)(link)

    assert refused.status_code == 405
    assert "/account/link/…" in log()
    assert link.split("/")[-2] not in log()


@pytest.mark.parametrize("method", ["get", "post"])
def test_no_log_line_of_a_failed_page_contains_the_token(client, link, log, method, monkeypatch):
    client.raise_request_exception = False
    token = link.split("/")[-2]

    getattr(client, method)(link)
    monkeypatch.setattr("dashboard.account.views.PasswordLinkPage.dispatch", broken)
    failed = getattr(client, method)(link)

    assert failed.status_code == 500
    assert "/account/link/…" in log()
    assert token not in log()


def broken(self, request, *args, **kwargs):
    raise RuntimeError(f"no answer for {request.path}")


def test_batchboards_own_log_lines_contain_no_token_either(link):
    event = {"event": "request_finished", "request": f"GET {link}", "code": 404}

    written = logs.hide_secrets(structlog.get_logger(), "warning", event)

    assert written["request"] == "GET /account/link/…/"
    assert written["code"] == 404
