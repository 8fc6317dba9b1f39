"""Adding and editing people."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from batches.models import AuditEvent, Workspace
from dashboard.roles import ROLES
from tests.dashboard.people.people_pages import add, edit, events, roles_of, shown, version_in


@pytest.fixture
def admin(sign_in) -> Client:
    """Manages Research."""
    return sign_in("admin", name="grace")


@pytest.fixture
def ada(person, workspace) -> User:
    return person("viewer", workspace, name="ada")


def test_one_save_adds_a_person_with_role_and_workspaces(admin, workspace):
    answer = add(admin, email="ada@example.com", role="operator", workspaces=[workspace.pk])

    ada = User.objects.get(username="ada")
    assert answer.status_code == 200
    assert 'id="password-link"' in answer.text
    assert ada.email == "ada@example.com"
    assert roles_of(ada) == ["operator"]
    assert list(ada.workspaces.all()) == [workspace]
    assert not ada.has_usable_password()
    assert ada.is_active
    assert not ada.is_superuser


def test_an_added_person_is_audited_with_what_they_got(admin, workspace):
    add(admin, email="ada@example.com", role="operator", workspaces=[workspace.pk])

    added, member, link = events()
    outcome = "e-mail: none → ada@example.com; role: no role → operator"
    assert added == ("person added", "ada", "", outcome)
    assert member == ("member added", "ada", "Research", "")
    assert link[:2] == ("password link made", "ada")
    assert set(AuditEvent.objects.values_list("actor", "address")) == {("grace", "127.0.0.1")}


def test_no_cache_keeps_the_page_with_the_link(admin):
    answer = add(admin)

    assert "no-store" in answer["Cache-Control"]
    assert "Send this link to" in answer.text
    assert "It works once" in answer.text


def test_no_form_asks_an_admin_for_a_password(admin, ada):
    pages = (
        admin.get(reverse("person-add")).text
        + admin.get(reverse("person-edit", args=[ada.pk])).text
    )

    assert 'type="password"' not in pages


@pytest.mark.parametrize("field", ["is_superuser", "is_staff", "user_permissions", "groups"])
def test_no_field_makes_a_superuser(admin, ada, field):
    add(admin, username="new", **{field: "1"})
    edit(admin, ada, **{field: "1"})

    for person in User.objects.filter(username__in=["new", "ada"]):
        assert not person.is_superuser
        assert not person.is_staff
        assert not person.user_permissions.exists()
        assert roles_of(person) == ["viewer"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"username": ""}, "This field is required."),
        ({"username": "two words"}, "Enter a valid username"),
        ({"username": "<script>alert(1)</script>"}, "Enter a valid username"),
        ({"username": "ada\u202eroot"}, "Enter a valid username"),
        ({"username": "🦊"}, "Enter a valid username"),
        ({"username": "a\x00b"}, "Null characters are not allowed."),
        ({"username": "x" * 151}, "at most 150 characters"),
        ({"email": "nonsense"}, "Enter a valid email address."),
        ({"email": f"{'x' * 250}@example.com"}, "at most 254 characters"),
        ({"role": "superuser"}, "Select a valid choice."),
        ({"role": ""}, "This field is required."),
        ({"workspaces": ["999"]}, "A workspace was deleted or is no longer yours."),
        ({"workspaces": ["x"]}, "not a valid value"),
    ],
)
def test_an_invalid_value_gets_an_error_and_adds_no_one(admin, fields, sentence):
    before = User.objects.count()

    answer = add(admin, **fields)

    assert answer.status_code == 200
    assert sentence in answer.text
    assert "<script>alert" not in answer.text
    assert User.objects.count() == before
    assert not events()


def test_what_was_typed_is_still_there_after_an_error(admin, workspace):
    answer = add(admin, username="two words", email="ada@example.com", workspaces=[workspace.pk])

    assert 'value="two words"' in answer.text
    assert 'value="ada@example.com"' in answer.text
    assert answer.context["form"]["workspaces"].value() == [str(workspace.pk)]


@pytest.mark.parametrize("name", ["x" * 150, "אדה", "ada@example.com", "Æda"])
def test_a_long_or_foreign_name_is_added_and_shown(admin, name):
    add(admin, username=name)

    assert f"<bdi>{name}</bdi>" in admin.get(reverse("person-list")).text


@pytest.mark.parametrize(
    ("taken", "name"), [("ada", "ada"), ("ada", "Ada"), ("Ädä", "ÄDÄ"), ("ada", "\uff41da")]
)
def test_a_name_that_differs_only_in_capitals_is_taken(admin, person, taken, name):
    person(name=taken)

    answer = add(admin, username=name)

    assert "This username is taken." in answer.text
    assert not events()


def test_a_taken_name_does_not_reveal_a_person_the_admin_may_not_see(
    admin, person, other_workspace
):
    person("lead", other_workspace, name="MalloryX")

    answer = add(admin, username="malloryx")

    assert "This username is taken." in answer.text
    assert "MalloryX" not in answer.text


def test_everything_about_a_person_is_edited_in_one_save(
    admin, ada, workspace, person, other_workspace
):
    Workspace.objects.get(pk=other_workspace.pk).members.add(User.objects.get(username="grace"))

    answer = edit(
        admin,
        ada,
        username="lovelace",
        email="ada@example.com",
        role="lead",
        workspaces=[other_workspace.pk],
    )

    ada.refresh_from_db()
    assert answer.url == reverse("person-list")
    assert (ada.username, ada.email) == ("lovelace", "ada@example.com")
    assert roles_of(ada) == ["lead"]
    assert list(ada.workspaces.all()) == [other_workspace]
    outcome = "username: ada → lovelace; e-mail: none → ada@example.com; role: viewer → lead"
    assert events() == [
        ("person changed", "lovelace", "", outcome),
        ("member added", "lovelace", "Production", ""),
        ("member removed", "lovelace", "Research", ""),
    ]


def test_the_page_of_a_person_takes_a_fixed_number_of_queries(
    admin, ada, workspace, django_assert_num_queries
):
    url = reverse("person-edit", args=[ada.pk])
    # Session and admin; person, role, memberships, other workspaces, link, lock, workspaces by name
    # and sessions; API tokens; the workspaces to choose from.
    with django_assert_num_queries(12):
        admin.get(url)
    for number in range(20):
        more = Workspace.objects.create(name=f"more {number}", slug=f"more-{number}")
        more.members.add(ada, User.objects.get(username="grace"))

    with django_assert_num_queries(12):
        admin.get(url)


def test_saving_without_a_change_records_nothing(admin, ada):
    edit(admin, ada)

    assert not events()


def test_a_person_may_keep_their_name_in_other_capitals(admin, ada):
    edit(admin, ada, username="ADA")

    ada.refresh_from_db()
    assert ada.username == "ADA"


def test_a_person_cannot_be_renamed_to_a_taken_name(admin, ada, person):
    person(name="bob")

    answer = edit(admin, ada, username="Bob", role="lead")

    assert "This username is taken." in answer.text
    assert roles_of(ada) == ["viewer"]
    assert not events()


def test_a_role_can_be_taken_away(admin, ada):
    edit(admin, ada, role="none")

    assert roles_of(ada) == []
    assert events() == [("person changed", "ada", "", "role: viewer → no role")]


def test_a_person_with_several_roles_gets_the_chosen_one(admin, ada):
    ada.groups.add(*Group.objects.filter(name__in=ROLES), Group.objects.create(name="others"))

    edit(admin, ada, role="operator")

    assert roles_of(ada) == ["operator", "others"]
    assert events() == [("person changed", "ada", "", "role: admin → operator")]


def test_a_lower_role_takes_effect_at_the_next_request(admin, sign_in):
    lead = sign_in("lead", name="bob")
    assert lead.get("/spend/").status_code == 200

    edit(admin, User.objects.get(username="bob"), role="viewer")

    assert lead.get("/spend/").status_code == 403


def test_a_removed_membership_takes_effect_at_the_next_request(admin, sign_in, row):
    row("one")
    viewer = sign_in("viewer", name="bob")
    assert viewer.get("/batches/one/").status_code == 200

    edit(admin, User.objects.get(username="bob"), workspaces=[])

    assert viewer.get("/batches/one/").status_code == 404


def test_a_deactivated_person_is_signed_out_and_cannot_sign_in(admin, sign_in):
    viewer = sign_in("viewer", name="bob")
    bob = User.objects.get(username="bob")

    edit(admin, bob, state="deactivated")

    assert viewer.get("/").status_code == 302
    sign_in_again = {"username": "bob", "password": "correct horse 9"}
    assert Client().post(reverse("login"), sign_in_again).status_code == 200
    outcome = "active → deactivated; 1 session ended"
    assert events() == [("person deactivated", "bob", "", outcome)]


def test_a_reactivated_person_can_sign_in_again(admin, ada):
    edit(admin, ada, state="deactivated")
    edit(admin, ada, state="active")

    sign_in = {"username": "ada", "password": "correct horse 9"}
    assert Client().post(reverse("login"), sign_in).status_code == 302
    assert events()[-1] == ("person reactivated", "ada", "", "deactivated → active")


def test_a_deactivated_person_gets_no_link(admin, ada):
    edit(admin, ada, state="deactivated")

    answer = admin.post(reverse("person-link", args=[ada.pk]), follow=True)

    assert "Reactivate them first" in answer.text
    assert 'id="password-link"' not in answer.text
    ada.refresh_from_db()
    assert ada.has_usable_password()


def test_signing_a_person_out_everywhere_ends_their_sessions_at_once(admin, sign_in):
    first, second = sign_in("viewer", name="bob"), Client()
    bob = User.objects.get(username="bob")
    second.force_login(bob, backend="dashboard.roles.RoleBackend")
    assert "from 2 browsers" in admin.get(reverse("person-edit", args=[bob.pk])).text

    answer = admin.post(reverse("person-sign-out", args=[bob.pk]), follow=True)

    assert "bob: 2 sessions ended." in answer.text
    assert first.get("/").status_code == second.get("/").status_code == 302
    assert admin.get("/").status_code == 200
    assert events() == [("sessions ended", "bob", "", "2 sessions ended")]


def test_an_edit_on_an_old_form_saves_nothing_and_shows_what_is_stored(admin, ada):
    old = shown(admin, ada)
    edit(admin, ada, email="first@example.com")
    url = reverse("person-edit", args=[ada.pk])

    answer = admin.post(url, old | {"role": "lead"})

    assert "Someone else edited this person while you were typing." in answer.text
    assert "e-mail first@example.com" in answer.text
    assert roles_of(ada) == ["viewer"]
    again = admin.post(url, old | {"role": "lead", "version": version_in(answer.text)})
    assert again.status_code == 302
    assert roles_of(ada) == ["lead"]
    ada.refresh_from_db()
    assert ada.email == ""


def test_a_membership_changed_by_another_admin_is_a_conflict_too(admin, ada, workspace):
    old = shown(admin, ada)
    workspace.members.remove(ada)

    answer = admin.post(reverse("person-edit", args=[ada.pk]), old | {"email": "a@example.com"})

    # The person is now in no workspace, so the admin may still see them.
    assert "Someone else edited this person" in answer.text
    assert not ada.workspaces.exists()


def test_an_error_in_an_old_form_does_not_hide_the_conflict(admin, ada):
    old = shown(admin, ada)
    edit(admin, ada, role="operator")
    url = reverse("person-edit", args=[ada.pk])

    mistaken = admin.post(url, old | {"email": "nonsense"})
    corrected = admin.post(url, old | {"version": version_in(mistaken.text)})

    assert "Someone else edited this person" in corrected.text
    assert roles_of(ada) == ["operator"]


def test_a_form_without_its_version_saves_nothing(admin, ada):
    fields = shown(admin, ada) | {"role": "lead"}
    del fields["version"]

    answer = admin.post(reverse("person-edit", args=[ada.pk]), fields)

    assert "Nothing was saved." in answer.text
    assert roles_of(ada) == ["viewer"]


def test_an_admin_cannot_deactivate_themselves(admin):
    grace = User.objects.get(username="grace")

    answer = edit(admin, grace, state="deactivated")

    assert "You can’t deactivate yourself." in answer.text
    grace.refresh_from_db()
    assert grace.is_active


def test_an_admin_cannot_make_a_link_for_themselves(admin):
    grace = User.objects.get(username="grace")

    answer = admin.post(reverse("person-link", args=[grace.pk]))

    assert answer.status_code == 403
    grace.refresh_from_db()
    assert grace.has_usable_password()


def test_an_admin_can_give_up_the_role_if_another_is_left(admin, person):
    person("admin", name="other")
    grace = User.objects.get(username="grace")

    answer = edit(admin, grace, role="viewer")

    assert answer.url == reverse("account")
    assert roles_of(grace) == ["viewer"]


def test_the_first_person_is_made_by_createsuperuser(db, client, monkeypatch):
    from django.core.management import call_command

    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "root")
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "root@example.com")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse 9")

    call_command("createsuperuser", "--noinput", verbosity=0)

    client.post(reverse("login"), {"username": "root", "password": "correct horse 9"})
    assert client.get(reverse("person-list")).status_code == 200
