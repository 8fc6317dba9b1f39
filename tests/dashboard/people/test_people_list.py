"""The list of people: its rows, filters, pages and number of queries."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from batches.models import Workspace
from dashboard.models import PasswordLink
from tests.dashboard.batch.batch_page import words
from tests.dashboard.people.people_pages import add

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def admin(sign_in) -> Client:
    return sign_in("admin", name="grace")


def row_of(browser: Client, name: str, **query) -> str:
    """The row of the list that names this person."""
    page = browser.get(reverse("person-list"), query).text
    rows = [row for row in page.split("<tr>")[1:] if f"<bdi>{name}</bdi>" in row]
    assert len(rows) == 1
    return rows[0]


def cells_of(browser: Client, name: str) -> dict[str, str]:
    """The text of each cell of the person's row, by the name of its column."""
    cells = re.findall(r'data-name="([^"]+)">(.*?)</td>', row_of(browser, name), re.DOTALL)
    return {column: words(cell).replace(" ,", ",") for column, cell in cells}


def names(browser: Client, **query) -> list[str]:
    rows = browser.get(reverse("person-list"), query).context["rows"]
    return [row.person.username for row in rows]


def test_a_row_shows_a_persons_details(admin, person, workspace):
    ada = person("operator", workspace, name="ada")
    User.objects.filter(pk=ada.pk).update(email="ada@example.com")

    row = row_of(admin, "ada")

    for text in ("ada@example.com", "operator", "Research", "never", "active"):
        assert text in row


def test_people_are_sorted_by_name_ignoring_case(admin, person):
    for name in ("bob", "Ada", "cleo", "Bea"):
        person(name=name)

    assert names(admin) == ["Ada", "Bea", "bob", "cleo", "grace"]


def test_a_person_in_two_shared_workspaces_has_one_row(admin, person, workspace, other_workspace):
    other_workspace.members.add(User.objects.get(username="grace"))
    person("viewer", workspace, other_workspace, name="ada")

    assert cells_of(admin, "ada")["Workspaces"] == "Production, Research"


def test_other_teams_workspaces_are_mentioned_without_name_and_number(
    admin, person, workspace, other_workspace
):
    person("viewer", workspace, other_workspace, name="ada")

    assert cells_of(admin, "ada")["Workspaces"] == "Research and others you don’t manage"


def test_having_no_role_and_no_workspace_is_shown_in_words(admin, person):
    person(name="ada")

    cells = cells_of(admin, "ada")

    assert (cells["Role"], cells["Workspaces"]) == ("no role", "none")


def test_a_superuser_is_listed_as_one_to_superusers(db, person):
    browser = Client()
    browser.force_login(User.objects.create_superuser("zeus", password="correct horse 9"))

    assert cells_of(browser, "zeus")["Role"] == "superuser"


@pytest.mark.parametrize(
    ("columns", "link", "state"),
    [
        ({}, None, "active"),
        ({"is_active": False}, None, "deactivated"),
        ({"password": "!"}, timedelta(hours=3), "invited: link valid until Tue 24 Nov 2026, 15:00"),
        ({"password": "!"}, timedelta(hours=-3), "invited: link expired"),
        ({"password": "!"}, None, "invited: needs a new link"),
        (
            {"password": "!", "last_login": NOON},
            timedelta(hours=3),
            "password reset: link valid until",
        ),
        ({"is_active": False, "password": "!"}, timedelta(hours=3), "deactivated"),
    ],
)
def test_the_state_says_whether_a_person_can_sign_in(person, sign_in, columns, link, state):
    with time_machine.travel(NOON, tick=False):
        admin, ada = sign_in("admin", name="grace"), person("viewer", name="ada")
        User.objects.filter(pk=ada.pk).update(**columns)
        if link:
            PasswordLink.objects.create(person=ada, valid_until=NOON + link)

        row = row_of(admin, "ada")

    assert f">{state}" in row


def test_a_name_that_is_locked_after_failed_sign_ins_says_until_when(sign_in, person):
    with time_machine.travel(NOON, tick=False):
        admin = sign_in("admin", name="grace")
        person("viewer", name="ada")
        guess = {"username": "ada", "password": "guess"}
        for _ in range(4):
            Client().post(reverse("login"), guess)
        not_yet = row_of(admin, "ada")
        Client().post(reverse("login"), guess)

        locked = row_of(admin, "ada")
    with time_machine.travel(NOON + timedelta(minutes=16), tick=False):
        later = row_of(admin, "ada")

    assert "locked after failed sign-ins until Tue 24 Nov 2026, 12:15 UTC" in locked
    assert ">active<" in not_yet
    assert ">active<" in later


def test_an_invited_person_is_in_the_list_at_once(admin):
    add(admin)

    assert "invited: link valid until" in row_of(admin, "ada")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "AD"}, ["ada"]),
        ({"q": "example.com"}, ["bob"]),
        ({"role": "lead"}, ["bob"]),
        ({"role": "none"}, ["cleo"]),
        ({"role": "admin"}, ["grace"]),
        ({"q": "bob", "role": "viewer"}, []),
        ({"role": "superuser"}, []),
        ({"q": "%"}, []),
    ],
)
def test_filters_find_people_by_text_and_role(admin, person, query, found):
    person("viewer", name="ada")
    bob = person("lead", name="bob")
    bob.groups.add(Group.objects.get(name="viewer"))
    User.objects.filter(pk=bob.pk).update(email="bob@example.com")
    person(name="cleo")

    assert names(admin, **query) == found


def test_an_empty_result_offers_a_way_back(admin):
    page = admin.get(reverse("person-list"), {"q": "no-such-person"}).text

    assert "No one matches" in page
    assert "Show everyone" in page


@pytest.mark.parametrize(
    "query", [{"role": "king"}, {"q": "x" * 201}, {"q": "a\x00b"}, {"page": "x"}, {"page": "-1"}]
)
def test_an_invalid_filter_is_ignored_with_a_sentence(admin, query):
    answer = admin.get(reverse("person-list"), query)

    assert answer.status_code == 200
    assert "This filter was ignored." in answer.text
    assert "<bdi>grace</bdi>" in answer.text


def people(count: int, workspace: Workspace) -> None:
    made = User.objects.bulk_create(
        User(username=f"person{number:03}", password="!", last_login=timezone.now())
        for number in range(count)
    )
    workspace.members.add(*made)
    Group.objects.get(name="viewer").user_set.add(*made)


def test_five_hundred_people_come_in_pages_that_keep_the_filters(admin, workspace):
    people(500, workspace)

    first = admin.get(reverse("person-list"), {"q": "person"})
    last = names(admin, q="person", page=5)
    beyond = names(admin, q="person", page=99)

    assert len(first.context["rows"]) == 100
    assert "Page 1 of 5" in first.text
    assert "?q=person&amp;page=2" in first.text
    assert last[-1] == "person499"
    assert beyond == last


def test_the_list_takes_the_same_queries_for_a_hundred_people_as_for_three(
    admin, workspace, django_assert_num_queries
):
    people(3, workspace)
    # Session, person, count, people, workspaces, locks.
    with django_assert_num_queries(6):
        admin.get(reverse("person-list"))
    people_before = User.objects.count()
    User.objects.bulk_create(User(username=f"more{number}") for number in range(120))
    assert User.objects.count() == people_before + 120

    with django_assert_num_queries(6):
        admin.get(reverse("person-list"))


def test_hostile_text_in_a_stored_name_is_escaped(admin):
    User.objects.create(username="<script>x</script>", email="<b>@example.com")

    page = admin.get(reverse("person-list")).text

    assert "<script>x" not in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<b>@" not in page
