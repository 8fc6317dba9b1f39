"""Signing in and out: what a person sees, what is recorded, and what locks them out."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth import authenticate
from django.test import Client, RequestFactory
from django.urls import reverse

from batches.models import AuditEvent
from dashboard.sign_in.limits import MOST_PER_ADDRESS, network_of

LOGIN = "/accounts/login/"
PASSWORD = "correct horse 9"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    """A clock that shows noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def ada(person, workspace):
    return person("viewer", workspace, name="ada")


def attempt(name: str = "ada", password: str = "guess", *, address: str = "192.0.2.1"):
    """Try a name and a password from this address in a new browser."""
    form = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post(LOGIN, form)


def recorded(*names: str) -> list[tuple]:
    """These columns of the sign-in events, oldest first."""
    return list(AuditEvent.objects.order_by("id").values_list(*names))


def test_signing_in_and_out_is_recorded_with_person_and_address(ada):
    browser = Client(REMOTE_ADDR="192.0.2.1")

    browser.post(LOGIN, {"username": "ada", "password": PASSWORD})
    browser.post("/accounts/logout/")

    assert recorded("action", "actor", "actor_id", "actor_kind", "address") == [
        ("signed in", "ada", ada.pk, "person", "192.0.2.1"),
        ("signed out", "ada", ada.pk, "person", "192.0.2.1"),
    ]


def test_signing_out_without_being_signed_in_records_nothing(client, db):
    assert client.post("/accounts/logout/").status_code == 302
    assert recorded("action") == []


def test_a_wrong_password_is_recorded_with_the_person_and_no_actor(ada):
    attempt("ada")

    assert recorded("action", "actor", "actor_kind", "person", "person_id", "outcome") == [
        ("sign-in failed", "someone not signed in", "nobody", "ada", ada.pk, "wrong password")
    ]


def test_a_deactivated_person_gets_the_answer_to_a_wrong_password(ada):
    ada.is_active = False
    ada.save()

    answers = [attempt("ada", PASSWORD), attempt("nobody", PASSWORD), attempt("ada", "guess")]

    assert {answer.status_code for answer in answers} == {200}
    alerts = {answer.text.partition('role="alert"')[2].partition("</div>")[0] for answer in answers}
    assert len(alerts) == 1
    assert "correct username and password" in alerts.pop()
    assert recorded("outcome") == [
        ("the account is deactivated",), ("unknown username",), ("the account is deactivated",),
    ]  # fmt: skip


def test_a_password_typed_into_the_username_field_is_not_stored_or_logged(ada, caplog):
    secret = "my-password-by-mistake"

    attempt(secret)

    kept = [*AuditEvent.objects.values(), *AccessAttempt.objects.values()]
    assert len(kept) == 2
    assert secret not in repr(kept)
    assert secret not in caplog.text
    assert recorded("person", "person_id") == [("", None)]


def test_passwords_of_another_form_are_not_stored_with_the_counted_failure(rf, ada, caplog):
    form = {"old_password": "the-old-one", "new_password1": "the-new-one", "new_password2": "too"}

    request = rf.post("/account/password/", form)
    authenticate(request, username="ada", password="the-old-one")

    assert AccessAttempt.objects.get().failures_since_start == 1
    assert "the-" not in repr(AccessAttempt.objects.values()) + caplog.text


def test_a_failure_in_another_form_counts_too(ada):
    for _ in range(5):
        request = RequestFactory().post("/account/password/", REMOTE_ADDR="192.0.2.1")
        assert authenticate(request, username="ada", password="guess") is None

    assert attempt("ada", PASSWORD).status_code == 429


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_signing_in_accepts_no_other_method(client, db, method):
    assert getattr(client, method)(LOGIN).status_code == 405


def test_an_empty_field_is_not_a_failure(db):
    for form in ({"username": "ada"}, {"password": "x"}, {}, {"username": " ", "password": "x"}):
        assert Client().post(LOGIN, form).status_code == 200

    assert recorded("action") == []
    assert not AccessAttempt.objects.exists()


def test_five_failures_lock_the_name_for_15_minutes(ada, clock):
    for _ in range(4):
        assert attempt("ada").status_code == 200
    fifth = attempt("ada")
    clock.move_to(NOON + timedelta(minutes=1, seconds=1))
    sixth = attempt("ada", PASSWORD)

    assert (fifth.status_code, sixth.status_code) == (429, 429)
    assert "Try again in 15 min." in fifth.text
    assert "Try again in 14 min." in sixth.text
    assert (fifth["Retry-After"], sixth["Retry-After"]) == ("900", "839")
    assert "Other usernames are not locked." in sixth.text
    assert "ask an admin of this Batchboard for a link" in sixth.text


def test_attempts_during_a_lock_neither_extend_it_nor_are_recorded(ada, clock):
    for _ in range(5):
        attempt("ada")
    for minute in range(1, 15):
        clock.move_to(NOON + timedelta(minutes=minute))
        assert attempt("ada", PASSWORD).status_code == 429
    clock.move_to(NOON + timedelta(minutes=15, seconds=1))
    afterwards = attempt("ada", PASSWORD)

    assert afterwards.status_code == 302
    failed, locked, signed_in = "sign-in failed", "sign-in locked", "signed in"
    assert recorded("action") == [(failed,)] * 5 + [(locked,), (signed_in,)]
    event = AuditEvent.objects.get(action="sign-in locked")
    assert event.outcome == "this username from this address, until 12:15 UTC"
    assert (event.person, event.address) == ("ada", "192.0.2.1")


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_an_unknown_name_is_locked_like_a_known_one(ada, name):
    statuses = [attempt(name).status_code for _ in range(6)]

    assert statuses == [200, 200, 200, 200, 429, 429]


@pytest.mark.parametrize("other", ["ada ", " ada", "ＡＤＡ".lower()])
def test_other_spellings_of_a_name_are_the_same_name(ada, other):
    for _ in range(5):
        attempt(other)

    assert attempt("ada", PASSWORD).status_code == 429


def test_a_lock_is_for_one_username_and_one_address(ada, person):
    person("viewer", name="bob")
    for _ in range(5):
        attempt("ada")

    assert attempt("ada", PASSWORD, address="192.0.2.2").status_code == 302
    assert attempt("bob", PASSWORD).status_code == 302


def test_a_success_resets_the_count_of_the_username(ada):
    for _ in range(4):
        attempt("ada")
    attempt("ada", PASSWORD)

    assert [attempt("ada").status_code for _ in range(5)] == [200, 200, 200, 200, 429]


def spray(*, count: int = MOST_PER_ADDRESS, address: str = "192.0.2.1") -> None:
    """Make one guess at each of many names, which locks none of them."""
    for number in range(count):
        attempt(f"name{number}", address=address)


def test_guessing_many_names_once_locks_the_address(ada, clock):
    spray(count=MOST_PER_ADDRESS - 1)
    before = attempt("ada", PASSWORD)
    last = attempt("last")
    clock.move_to(NOON + timedelta(minutes=14))
    after = attempt("ada", PASSWORD)

    assert (before.status_code, last.status_code, after.status_code) == (302, 200, 429)
    assert "No one can sign in from there until then, with any username." in after.text
    assert "Try again in 1 min." in after.text
    assert after["Retry-After"] == "60"
    locked = AuditEvent.objects.get(action="sign-in locked")
    assert locked.outcome == "every username from this address, until 12:15 UTC"


def test_signing_in_to_ones_own_account_does_not_reset_the_address(ada):
    for number in range(MOST_PER_ADDRESS):
        attempt(f"name{number}")
        if number % 3 == 0:
            attempt("ada", PASSWORD)

    assert attempt("ada", PASSWORD).status_code == 429


def test_a_locked_address_hashes_and_records_nothing_more(ada, django_assert_max_num_queries):
    spray()
    events = AuditEvent.objects.count()

    with django_assert_max_num_queries(2):
        refused = attempt("ada", PASSWORD)

    assert refused.status_code == 429
    assert AuditEvent.objects.count() == events


def test_the_lock_of_an_address_ends_when_its_failures_are_old(ada, clock):
    spray()
    clock.move_to(NOON + timedelta(minutes=15, seconds=1))

    assert attempt("ada", PASSWORD).status_code == 302


def test_other_addresses_are_not_locked_with_it(ada):
    spray()

    assert attempt("ada", PASSWORD, address="192.0.2.2").status_code == 302


def test_an_ipv6_network_counts_as_one_address(ada):
    for number in range(MOST_PER_ADDRESS):
        attempt(f"name{number}", address=f"2001:db8::{number:x}:1")

    assert attempt("ada", PASSWORD, address="2001:db8::ffff:2").status_code == 429
    assert attempt("ada", PASSWORD, address="2001:db8:0:1::1").status_code == 302


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("", ""),
    ],
)
def test_the_network_of_an_address(address, network):
    assert network_of(address) == network


def test_with_no_account_yet_the_page_says_how_to_make_one(client, db, person):
    before = client.get(LOGIN).text
    person(name="ada")
    after = client.get(LOGIN).text

    assert "python manage.py createsuperuser" in before
    assert "createsuperuser" not in after


def test_asking_whether_there_is_an_account_is_one_query(client, db, django_assert_num_queries):
    with django_assert_num_queries(1) as asked:
        client.get(LOGIN)

    assert "LIMIT 1" in asked.captured_queries[0]["sql"]


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def second_tab(browser, ada) -> dict[str, str]:
    """The values of a form that was opened before another tab of the browser signed in."""
    token = str(browser.get(LOGIN).context["csrf_token"])
    form = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token}
    assert browser.post(LOGIN, form).status_code == 302
    return form


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("", "/"),
        ("/spend/?by=model", "/spend/?by=model"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_a_second_tabs_form_redirects_once_the_first_has_signed_in(
    browser, second_tab, target, leads_to
):
    response = browser.post(LOGIN, second_tab | {"next": target})

    assert (response.status_code, response.headers.get("Location")) == (302, leads_to)


def test_any_other_form_of_an_older_session_has_expired(browser, second_tab):
    response = browser.post("/accounts/logout/", second_tab)

    assert response.status_code == 403
    assert "Go back, reload the page and try again." in response.text


def test_a_sign_in_form_that_expired_is_still_refused(browser, ada):
    response = browser.post(LOGIN, {"username": "ada", "password": PASSWORD})

    assert response.status_code == 403
    assert "This page expired" in response.text


def test_signing_out_clears_the_browsers_cache_but_not_its_settings(sign_in):
    response = sign_in("viewer").post(reverse("logout"))

    assert response["Clear-Site-Data"] == '"cache"'
    assert "no-store" in response["Cache-Control"]
