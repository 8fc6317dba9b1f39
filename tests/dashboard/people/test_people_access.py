"""Which admin may see and change which person, with three admins and two teams."""

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from batches.models import AuditEvent, Workspace
from dashboard.people.changes import AccountOutOfReach, change_person
from dashboard.people.details import details_of
from dashboard.roles import ROLES
from tests.dashboard.people.people_pages import add, edit, events, roles_of, shown


@dataclass
class World:
    """Admins a and b of one workspace each, a superuser, and people by their workspaces."""

    a: Client
    b: Client
    root: Client
    people: dict[str, User]
    research: Workspace
    production: Workspace


@pytest.fixture
def world(person, sign_in, workspace, other_workspace) -> World:
    root = Client()
    superuser = User.objects.create_superuser("zeus", password="correct horse 9")
    root.force_login(superuser, backend="dashboard.roles.RoleBackend")
    places = {
        "of-a": [workspace],
        "of-b": [other_workspace],
        "of-both": [workspace, other_workspace],
        "of-none": [],
    }
    people = {name: person("viewer", *places[name], name=name) for name in places}
    return World(
        a=sign_in("admin", workspace, name="admin-a"),
        b=sign_in("admin", other_workspace, name="admin-b"),
        root=root,
        people=people | {"zeus": superuser},
        research=workspace,
        production=other_workspace,
    )


# What each admin may do with each person: everything, change their memberships, or nothing.
FULL, MEMBERSHIP, HIDDEN = "full", "membership", "hidden"
REACH = {
    ("a", "of-a"): FULL,
    ("a", "of-b"): HIDDEN,
    ("a", "of-both"): MEMBERSHIP,
    ("a", "of-none"): FULL,
    ("a", "zeus"): HIDDEN,
    ("b", "of-a"): HIDDEN,
    ("b", "of-b"): FULL,
    ("b", "of-both"): MEMBERSHIP,
    ("b", "of-none"): FULL,
    ("b", "zeus"): HIDDEN,
    ("root", "of-a"): FULL,
    ("root", "of-b"): FULL,
    ("root", "of-both"): FULL,
    ("root", "of-none"): FULL,
}
pairs = pytest.mark.parametrize(
    ("admin", "name", "reach"), [(*pair, reach) for pair, reach in REACH.items()]
)


@pairs
def test_the_list_shows_the_people_that_the_admin_may_see(world, admin, name, reach):
    page = getattr(world, admin).get(reverse("person-list")).text

    assert (f"<bdi>{name}</bdi>" in page) == (reach != HIDDEN)


@pairs
def test_only_the_pages_of_people_that_the_admin_may_see_open(world, admin, name, reach):
    url = reverse("person-edit", args=[world.people[name].pk])

    answer = getattr(world, admin).get(url)

    assert answer.status_code == (404 if reach == HIDDEN else 200)
    if reach != HIDDEN:
        assert ('id="id_username"' in answer.text) == (reach == FULL)
        assert ('id="new-link"' in answer.text) == (reach == FULL)
        assert ('id="out-of-reach"' in answer.text) == (reach == MEMBERSHIP)


@pairs
@pytest.mark.parametrize("action", ["person-link", "person-sign-out"])
def test_only_a_manageable_account_gets_a_link_or_is_signed_out(world, admin, name, reach, action):
    person = world.people[name]
    answer = getattr(world, admin).post(reverse(action, args=[person.pk]))

    allowed = {"person-link": 200, "person-sign-out": 302}[action]
    assert answer.status_code == {FULL: allowed, MEMBERSHIP: 403, HIDDEN: 404}[reach]
    person.refresh_from_db()
    assert person.has_usable_password() == (not (reach == FULL and action == "person-link"))
    assert bool(events("password link made", "sessions ended")) == (reach == FULL)


CHANGES = {
    "username": {"username": "renamed"},
    "email": {"email": "other@example.com"},
    "role": {"role": "admin"},
    "state": {"state": "deactivated"},
}


@pairs
@pytest.mark.parametrize("change", CHANGES)
def test_only_an_admin_of_all_its_workspaces_changes_an_account(world, admin, name, reach, change):
    person, browser = world.people[name], getattr(world, admin)
    # The form that a superuser gets, so that every field can be forged.
    fields = shown(world.root, person) | CHANGES[change]
    if reach != HIDDEN:
        fields |= {"version": shown(browser, person)["version"]}
    fields["workspaces"] = shown(browser, person)["workspaces"] if reach != HIDDEN else []

    answer = browser.post(reverse("person-edit", args=[person.pk]), fields)

    assert answer.status_code == {FULL: 302, MEMBERSHIP: 200, HIDDEN: 404}[reach]
    before = (person.username, person.email, person.is_active, ["viewer"])
    person.refresh_from_db()
    after = (person.username, person.email, person.is_active, roles_of(person))
    if name != "zeus":
        assert (after != before) == (reach == FULL)
    if reach == MEMBERSHIP:
        assert "Nothing was saved." in answer.text
    if reach != FULL:
        assert not events()


@pytest.mark.parametrize(("admin", "managed"), [("a", "research"), ("b", "production")])
def test_an_admin_can_always_edit_membership_in_their_own_workspaces(world, admin, managed):
    person = world.people["of-both"]

    answer = edit(getattr(world, admin), person, workspaces=[])

    own = getattr(world, managed)
    left = {world.research, world.production} - {own}
    assert answer.status_code == 302
    assert set(person.workspaces.all()) == left
    assert events() == [("member removed", "of-both", own.name, "")]


def test_a_person_who_is_added_to_a_workspace_stays_in_the_others(world):
    person = world.people["of-a"]
    User.objects.get(username="admin-b").workspaces.add(world.research)

    edit(world.b, person, workspaces=[world.research.pk, world.production.pk])
    edit(world.a, person)

    assert set(person.workspaces.all()) == {world.research, world.production}


@pytest.mark.parametrize("form", ["add", "edit"])
def test_an_admin_cannot_add_members_to_a_workspace_they_are_not_in(world, form):
    foreign = [world.production.pk]

    if form == "add":
        answer = add(world.a, username="new", workspaces=foreign)
    else:
        answer = edit(world.a, world.people["of-a"], workspaces=foreign)

    assert "A workspace was deleted or is no longer yours." in answer.text
    assert not world.production.members.filter(username__in=["new", "of-a"]).exists()
    assert not events()


def test_an_account_that_joins_another_workspace_before_saving_is_not_changed(world):
    person = world.people["of-a"]
    fields = shown(world.a, person) | {"role": "admin"}
    world.production.members.add(person)

    answer = world.a.post(reverse("person-edit", args=[person.pk]), fields)

    assert answer.status_code == 200
    assert "Nothing was saved." in answer.text
    assert roles_of(person) == ["viewer"]


def test_an_account_that_joins_another_workspace_during_saving_is_not_changed(world, rf):
    person, admin = world.people["of-a"], User.objects.get(username="admin-a")
    request = rf.post("/")
    request.user = admin
    before = details_of(person, admin)
    world.production.members.add(person)

    with pytest.raises(AccountOutOfReach):
        change_person(request, person.pk, before._replace(role="admin"), seen=before.version)

    assert roles_of(person) == ["viewer"]


def test_only_superusers_edit_superusers(world):
    zeus = world.people["zeus"]

    page = world.root.get(reverse("person-edit", args=[zeus.pk])).text
    edit(world.root, zeus, email="zeus@example.com")

    assert "Can do everything in every workspace" in page
    assert 'name="role"' not in page
    zeus.refresh_from_db()
    assert zeus.email == "zeus@example.com"
    assert zeus.is_superuser


def test_no_page_shows_an_admin_people_and_workspaces_they_may_not_see(world):
    hidden = User.objects.get(username="of-b")
    User.objects.filter(pk=hidden.pk).update(email="secret@example.com")
    urls = [
        reverse("person-list"),
        f"{reverse('person-list')}?q=of-b",
        reverse("person-add"),
        reverse("account"),
        *(
            reverse("person-edit", args=[world.people[name].pk])
            for name in ("of-a", "of-both", "of-none")
        ),
    ]

    pages = "".join(world.a.get(url).text.replace('value="of-b"', "") for url in urls)
    pages += edit(world.a, world.people["of-a"], username="of-b").text.replace('value="of-b"', "")

    for text in ("of-b<", "admin-b", "zeus", "secret@", "Production", "production"):
        assert text not in pages
    assert f"/people/{hidden.pk}/" not in pages
    assert "others you don’t manage" in pages


def test_a_conflict_does_not_name_another_teams_workspace(world):
    person = world.people["of-both"]
    old = shown(world.a, person)
    world.research.members.remove(person)
    world.research.members.add(person)
    edit(world.root, person, email="new@example.com")

    page = world.a.post(reverse("person-edit", args=[person.pk]), old).text

    assert "Someone else edited this person" in page
    assert "Production" not in page


@pytest.mark.parametrize("role", ["", *(role for role in ROLES if role != "admin")])
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_admins_manage_people(sign_in, person, role, method):
    browser, other = sign_in(role, name="someone"), person("viewer", name="other")
    before = AuditEvent.objects.count()

    for name in ("person-list", "person-add", "person-edit", "person-link", "person-sign-out"):
        arguments = [other.pk] if name not in {"person-list", "person-add"} else []
        assert getattr(browser, method)(reverse(name, args=arguments)).status_code == 403

    other.refresh_from_db()
    assert other.has_usable_password()
    assert AuditEvent.objects.exclude(action="action refused").count() == before


def test_a_refusal_names_the_role_that_is_needed(sign_in):
    page = sign_in("viewer").get(reverse("person-list")).text

    assert "You need the admin role to manage workspaces and people." in page


def test_without_a_role_the_page_says_where_to_get_one(sign_in):
    page = sign_in("", name="new").get("/").text

    assert "give you a role and your workspaces on the People page" in page


@pytest.mark.parametrize("name", ["person-link", "person-sign-out"])
def test_a_get_request_changes_no_one(world, name):
    person = world.people["of-a"]

    answer = world.a.get(reverse(name, args=[person.pk]))

    assert answer.status_code == 405
    person.refresh_from_db()
    assert person.has_usable_password()


@pytest.mark.parametrize("name", ["person-edit", "person-link", "person-sign-out"])
@pytest.mark.parametrize("number", ["0", "999999", "9" * 30])
def test_a_person_who_does_not_exist_is_404(world, name, number):
    url = reverse(name, args=[1]).replace("/1/", f"/{number}/")

    assert world.a.post(url).status_code == 404


def test_a_change_without_a_csrf_token_is_refused(world):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="admin-a"), backend="dashboard.roles.RoleBackend")

    for name in ("person-link", "person-sign-out", "person-edit"):
        url = reverse(name, args=[world.people["of-a"].pk])
        assert strict.post(url, {}).status_code == 403
    assert not events()
