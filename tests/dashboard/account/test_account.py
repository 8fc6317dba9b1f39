"""A person's own account: what it shows, the password, and where they are signed in."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batches.models import AuditEvent
from dashboard.account.browsers import browser_in_words
from dashboard.models import Session
from dashboard.sessions import SessionStore, end_sessions
from tests.dashboard.conftest import HTMX

OLD, NEW = "correct horse 9", "a much longer battery"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def ada(person, workspace) -> User:
    return person("viewer", workspace, name="ada")


def browser_of(user: User, **options) -> Client:
    """A new browser in which the person has signed in with their password."""
    browser = Client(**options)
    answer = browser.post(reverse("login"), {"username": user.username, "password": OLD})
    assert answer.status_code == 302
    return browser


def change_password(browser: Client, *, old: str = OLD, new: str = NEW, again: str = NEW):
    return browser.post(
        reverse("password-change"),
        {"old_password": old, "new_password1": new, "new_password2": again},
    )


def test_the_account_shows_the_person_and_what_their_role_allows(ada):
    User.objects.update(email="ada@example.com")

    page = browser_of(ada).get(reverse("account")).text

    assert "ada@example.com" in page
    assert "viewer: sees batches" in page
    assert "Research" in page
    assert reverse("password-change") in page


def test_a_person_without_a_role_can_see_their_account(person):
    page = browser_of(person(name="new")).get(reverse("account"))

    assert page.status_code == 200
    assert "no role: can’t see anything" in page.text


def test_another_teams_workspace_is_not_named(ada, other_workspace):
    page = browser_of(ada).get(reverse("account")).text

    assert other_workspace.name not in page


def test_the_header_links_to_the_account(ada, row):
    page = browser_of(ada).get("/").text

    assert f'href="{reverse("account")}"' in page


def test_a_sign_in_stores_its_person_address_browser_and_time(ada):
    browser_of(ada, headers={"User-Agent": FIREFOX})

    session = Session.objects.get(user_id=ada.pk)

    assert session.address == "127.0.0.1"
    assert session.browser == FIREFOX
    assert timezone.now() - session.signed_in_at < timedelta(minutes=1)


def test_a_long_user_agent_is_cut_and_a_missing_one_is_called_unknown(ada):
    browser_of(ada, headers={"User-Agent": "x" * 5_000})
    page = browser_of(ada).get(reverse("account")).text

    assert "x" * 200 in page
    assert "x" * 201 not in page
    assert "Unknown browser" in page


def test_a_user_agent_is_escaped(ada):
    page = browser_of(ada, headers={"User-Agent": "<script>x</script>"}).get(reverse("account"))

    assert "&lt;script&gt;x&lt;/script&gt;" in page.text


WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (f"{WINDOWS} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        (f"{ANDROID} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome on Android"),
        (f"{IPHONE} Version/18.6 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"{MAC} Version/18.6 Safari/605.1.15", "Safari on macOS"),
        ("curl/8.14.1", "curl/8.14.1"),
        ("", "Unknown browser"),
    ],
)
def test_a_browser_is_named_in_words(user_agent, words):
    assert browser_in_words(user_agent) == words


def test_the_sessions_are_listed_with_this_one_marked(ada, person):
    browser_of(person("viewer", name="bob"), headers={"User-Agent": "bobs browser"})
    browser_of(ada, headers={"User-Agent": FIREFOX})

    page = browser_of(ada, headers={"User-Agent": "curl/8"}).get(reverse("account")).text

    assert page.count("this browser</strong>") == 1
    assert page.index("curl/8") < page.index("this browser</strong>")
    assert page.index("this browser</strong>") < page.index("Firefox on Linux")
    assert "bobs browser" not in page


def test_signing_out_the_others_ends_them_at_their_next_request(ada, person):
    bob = browser_of(person("viewer", name="bob"))
    here, there = browser_of(ada), browser_of(ada)

    answer = here.post(reverse("sign-out-others"), follow=True)

    assert "Signed out of 1 other session." in answer.text
    assert there.get("/").status_code == 302
    assert "HX-Redirect" in there.get(reverse("batch-live"), headers=HTMX).headers
    assert here.get("/").status_code == 200
    assert bob.get("/").status_code == 200
    event = AuditEvent.objects.get(action="sessions ended")
    assert (event.actor, event.person, event.outcome) == ("ada", "ada", "1 other session ended")


def test_a_running_request_does_not_bring_an_ended_session_back(ada):
    browser_of(ada)
    running = SessionStore(Session.objects.get(user_id=ada.pk).session_key)
    running["changed"] = "by the request"

    end_sessions(ada)

    with pytest.raises(UpdateError):
        running.save()
    assert not Session.objects.exists()


def test_with_no_other_session_nothing_is_recorded(ada):
    answer = browser_of(ada).post(reverse("sign-out-others"), follow=True)

    assert "You are not signed in anywhere else." in answer.text
    assert not AuditEvent.objects.filter(action="sessions ended").exists()


def test_a_session_that_has_expired_is_not_listed(ada):
    browser_of(ada, headers={"User-Agent": "an old one"})

    with time_machine.travel(timezone.now() + timedelta(hours=13)):
        page = browser_of(ada).get(reverse("account")).text

    assert "an old one" not in page


def test_only_the_first_of_many_sessions_are_listed(ada, django_assert_num_queries):
    browser = browser_of(ada)
    for number in range(30):
        Session.objects.create(
            session_key=f"key{number}",
            user_id=ada.pk,
            expire_date=timezone.now() + timedelta(hours=1),
            signed_in_at=timezone.now(),
        )

    with django_assert_num_queries(4):
        page = browser.get(reverse("account")).text

    assert page.count("session-browser") == 20
    assert "And 11 more." in page


def test_a_changed_password_keeps_this_browser_and_ends_the_others(ada):
    here, there = browser_of(ada), browser_of(ada)

    answer = change_password(here)

    assert answer.url == reverse("account")
    ada.refresh_from_db()
    assert ada.check_password(NEW)
    assert Session.objects.filter(user_id=ada.pk).count() == 1
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302


def test_a_changed_password_is_audited_without_it(ada):
    change_password(browser_of(ada))

    event = AuditEvent.objects.get(action="password changed")
    assert (event.actor, event.person, event.address) == ("ada", "ada", "127.0.0.1")
    assert NEW not in event.outcome
    assert ada.password not in event.outcome


def test_a_session_keeps_its_columns_when_its_key_changes(ada):
    browser = browser_of(ada, headers={"User-Agent": FIREFOX})
    before = Session.objects.get(user_id=ada.pk)

    change_password(browser)

    after = Session.objects.get(user_id=ada.pk)
    assert after.session_key != before.session_key
    assert (after.browser, after.signed_in_at) == (FIREFOX, before.signed_in_at)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"old": "guess"}, "This is not your current password."),
        ({"again": "another one"}, "didn’t match"),
        ({"new": "ada", "again": "ada"}, "too short"),
        ({"new": "password123", "again": "password123"}, "too common"),
        ({"new": "482910573", "again": "482910573"}, "entirely numeric"),
    ],
)
def test_an_unsuitable_password_gets_an_error_and_the_old_one_stays(ada, given, sentence):
    answer = change_password(browser_of(ada), **given)

    assert sentence in answer.text
    ada.refresh_from_db()
    assert ada.check_password(OLD)


def test_the_old_password_cannot_be_guessed_inside_a_session(ada):
    browser = browser_of(ada)

    for _ in range(5):
        answer = change_password(browser, old="guess")
    right = change_password(browser)

    assert answer.status_code == 429
    assert right.status_code == 429
    ada.refresh_from_db()
    assert ada.check_password(OLD)


def test_guessing_the_old_password_is_audited(ada):
    change_password(browser_of(ada), old="guess")

    event = AuditEvent.objects.get(action="sign-in failed")
    assert (event.actor, event.person) == ("ada", "ada")
    assert "guess" not in event.outcome


def test_guesses_after_the_lock_do_not_flood_the_audit(ada):
    browser = browser_of(ada)

    for _ in range(8):
        change_password(browser, old="guess")

    assert AuditEvent.objects.filter(action="sign-in failed").count() == 5


def test_the_lock_ends_after_a_quarter_of_an_hour(ada):
    browser = browser_of(ada)
    for _ in range(5):
        change_password(browser, old="guess")

    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        answer = change_password(browser)

    assert answer.status_code == 302


class AdminAtTheSameTime:
    """A password validator, because validators run between reading and writing the person."""

    def validate(self, password, user=None):
        User.objects.filter(pk=user.pk).update(email="new@example.com")

    def get_help_text(self):
        return ""


def test_a_password_change_keeps_what_an_admin_changes_at_the_same_time(ada, settings):
    settings.AUTH_PASSWORD_VALIDATORS = [{"NAME": f"{__name__}.AdminAtTheSameTime"}]

    change_password(browser_of(ada))

    ada.refresh_from_db()
    assert ada.email == "new@example.com"
    assert ada.check_password(NEW)
