"""There is always someone who can sign in and manage people."""

import threading
from contextlib import closing

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from dashboard.people.changes import someone_can_manage
from tests.dashboard.people.people_pages import edit, events, roles_of, shown

REFUSED = "No one could manage people after this"


@pytest.fixture
def admin(sign_in) -> Client:
    return sign_in("admin", name="grace")


@pytest.fixture
def grace(admin) -> User:
    return User.objects.get(username="grace")


def test_the_last_admin_cannot_give_up_the_role(admin, grace):
    answer = edit(admin, grace, role="lead", email="grace@example.com")

    assert REFUSED in answer.text
    assert roles_of(grace) == ["admin"]
    grace.refresh_from_db()
    assert grace.email == ""
    assert not events()


@pytest.mark.parametrize(
    ("role", "columns"),
    [("admin", {"is_active": False}), ("admin", {"password": "!never-set"}), ("lead", {})],
)
def test_someone_who_cannot_manage_people_does_not_count(
    admin, grace, person, workspace, role, columns
):
    other = person(role, workspace, name="other")
    for name, value in columns.items():
        setattr(other, name, value)
    other.save()

    answer = edit(admin, grace, role="lead")

    assert REFUSED in answer.text
    assert roles_of(grace) == ["admin"]


@pytest.mark.parametrize("superuser", [True, False])
def test_a_superuser_or_another_admin_is_enough(admin, grace, person, superuser):
    other = person("" if superuser else "admin", name="other")
    User.objects.filter(pk=other.pk).update(is_superuser=superuser)

    edit(admin, grace, role="lead")

    assert roles_of(grace) == ["lead"]


@pytest.fixture
def root(db) -> Client:
    """The browser of a superuser without a password, who can't sign in again."""
    browser = Client()
    browser.force_login(
        User.objects.create_superuser("root"), backend="dashboard.roles.RoleBackend"
    )
    return browser


def test_a_superuser_without_a_password_cannot_deactivate_the_last_admin(root, person):
    last = person("admin", name="last")

    answer = edit(root, last, state="deactivated")

    assert REFUSED in answer.text
    last.refresh_from_db()
    assert last.is_active


def test_no_link_is_made_for_the_last_admin(root, person):
    last = person("admin", name="last")

    answer = root.post(reverse("person-link", args=[last.pk]), follow=True)

    assert REFUSED in answer.text
    last.refresh_from_db()
    assert last.has_usable_password()


@pytest.mark.parametrize("change", [{"role": "viewer"}, {"state": "deactivated"}, "link"])
def test_two_admins_who_remove_each_other_at_once_leave_one(committed, person, workspace, change):
    people = [person("admin", workspace, name=name) for name in ("ada", "bob")]
    browsers = []
    for someone in people:
        browser = Client()
        browser.force_login(someone, backend="dashboard.roles.RoleBackend")
        browsers.append(browser)
    forms = [
        shown(browser, other) for browser, other in zip(browsers, reversed(people), strict=True)
    ]
    together = threading.Barrier(2)

    def remove(browser: Client, other: User, form: dict) -> None:
        with closing(connection):
            together.wait(10)
            if change == "link":
                browser.post(reverse("person-link", args=[other.pk]))
            else:
                browser.post(reverse("person-edit", args=[other.pk]), form | change)

    threads = [
        threading.Thread(target=remove, args=arguments)
        for arguments in zip(browsers, reversed(people), forms, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert not any(thread.is_alive() for thread in threads)
    assert someone_can_manage()
    able = [
        someone
        for someone in User.objects.filter(groups__name="admin", is_active=True)
        if someone.has_usable_password()
    ]
    assert len(able) == 1
