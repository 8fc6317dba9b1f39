"""Changes to people. Each change and its audit events are one transaction."""

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from batches.models import AuditEvent, Workspace
from dashboard.access import may_manage_account, visible_people, visible_workspaces
from dashboard.models import PasswordLink
from dashboard.password_links import drop_link, make_link, to_the_minute
from dashboard.people.details import OUT_OF_REACH, Details, details_of, differences
from dashboard.recording import record
from dashboard.roles import give_role
from dashboard.sessions import end_sessions
from dashboard.words import plural

Action = AuditEvent.Action


class ChangeRefused(Exception):
    """The change was not made. `str(error)` is for people; `field` is the form's field."""

    field: str | None = None


class NameTaken(ChangeRefused):
    field = "username"


class NoAdminLeft(ChangeRefused):
    """After the change, no one who can sign in could manage people."""


class AccountOutOfReach(ChangeRefused):
    """The person is in a workspace that the admin doesn't manage."""


class NotActive(ChangeRefused):
    """The person is deactivated, so a password would be of no use."""


class PersonChanged(ChangeRefused):
    """Someone else has changed the person since the form was shown."""


@contextmanager
def one_change_at_a_time() -> Iterator[None]:
    """A transaction that no other transaction of this function overlaps.

    Otherwise two admins could remove each other at the same time, or add the same name. On
    PostgreSQL the second waits for a row lock; SQLite runs one writing transaction at a time.
    Raises NoAdminLeft, and rolls back, if no one could manage people afterwards.
    """
    with transaction.atomic():
        Group.objects.select_for_update().get(name="admin")
        yield
        if not someone_can_manage():
            raise NoAdminLeft(
                "No one could manage people after this: no other admin can sign in. "
                "Give someone else the admin role first. Nothing was saved."
            )


def someone_can_manage() -> bool:
    """Whether an active person with a password is an admin or a superuser."""
    with_password = User.objects.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    manages = Q(is_superuser=True) | Q(groups__name="admin")
    return with_password.filter(manages, is_active=True).exists()


def add_person(request: HttpRequest, details: Details) -> tuple[User, str, PasswordLink]:
    """Add a person without a password, and make a link to set one. Raises NameTaken."""
    with one_change_at_a_time():
        refuse_taken(details.username)
        person = User.objects.create_user(details.username, details.email)
        give_role(person, details.role)
        outcome = differences(Details(details.username), details)
        record(request, Action.PERSON_ADDED, person=person, outcome=outcome)
        change_memberships(request, person, Details(), details)
        return person, *new_link(request, person)


def change_person(request: HttpRequest, pk: int, details: Details, *, seen: str) -> User:
    """Save what an admin edited; `seen` is the version of the details that the form showed.

    Raises ChangeRefused or Http404, and then saves nothing.
    """
    with one_change_at_a_time():
        person = get_object_or_404(visible_people(request.user), pk=pk)
        before = details_of(person, request.user)
        if before.version != seen:
            raise PersonChanged
        if before.account != details.account:
            change_account(request, person, before, details)
        change_memberships(request, person, before, details)
    return person


def change_account(request: HttpRequest, person: User, before: Details, after: Details) -> None:
    if not may_manage_account(request.user, person):
        raise AccountOutOfReach(f"{OUT_OF_REACH} Nothing was saved.")
    if before.username != after.username:
        refuse_taken(after.username, person)
    person.username, person.email, person.is_active = after.username, after.email, after.is_active
    person.save(update_fields=["username", "email", "is_active"])
    if before.role != after.role:
        give_role(person, after.role)
    if not after.is_active or before.email != after.email:
        # The link's token depends on the e-mail address, and must not work after a reactivation.
        drop_link(person)
    if changed := differences(before, after):
        record(request, Action.PERSON_CHANGED, person=person, outcome=changed)
    if before.is_active != after.is_active:
        change_state(request, person)


def change_state(request: HttpRequest, person: User) -> None:
    if person.is_active:
        record(request, Action.PERSON_REACTIVATED, person=person, outcome="deactivated → active")
        return
    ended = sessions_in_words(end_sessions(person))
    outcome = f"active → deactivated; {ended}"
    record(request, Action.PERSON_DEACTIVATED, person=person, outcome=outcome)


def change_memberships(request: HttpRequest, person: User, before: Details, after: Details) -> None:
    """Apply only the difference. Memberships that the admin can't see stay as they are."""
    for workspace in manageable_workspaces(request, after.workspaces - before.workspaces):
        person.workspaces.add(workspace)
        record(request, Action.MEMBER_ADDED, person=person, workspace=workspace)
    for workspace in manageable_workspaces(request, before.workspaces - after.workspaces):
        person.workspaces.remove(workspace)
        record(request, Action.MEMBER_REMOVED, person=person, workspace=workspace)


def manageable_workspaces(request: HttpRequest, ids: Iterable[int]) -> Iterable[Workspace]:
    return list(visible_workspaces(request.user).filter(pk__in=ids))


def refuse_taken(username: str, person: User | None = None) -> None:
    """Raises NameTaken if another person has the name, ignoring case."""
    others = User.objects.exclude(pk=person.pk) if person else User.objects.all()
    names = others.values_list("username", flat=True)
    # In Python, because databases differ in how they ignore case outside ASCII.
    if any(folded(name) == folded(username) for name in names.iterator()):
        raise NameTaken("This username is taken. Upper and lower case don’t matter.")


def folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def replace_password(request: HttpRequest, person: User) -> tuple[User, str, PasswordLink]:
    """Make a link, which ends the person's password. Raises ChangeRefused."""
    with one_change_at_a_time():
        person.refresh_from_db()
        if not may_manage_account(request.user, person):
            raise AccountOutOfReach(OUT_OF_REACH)
        if not person.is_active:
            raise NotActive("A deactivated person can’t use a link. Reactivate them first.")
        return person, *new_link(request, person)


def new_link(request: HttpRequest, person: User) -> tuple[str, PasswordLink]:
    path, link = make_link(person)
    outcome = f"valid until {to_the_minute(link.valid_until)}"
    record(request, Action.LINK_MADE, person=person, outcome=outcome)
    return path, link


def sign_out_everywhere(request: HttpRequest, person: User) -> int:
    """End all of the person's sessions. Return how many ended."""
    with transaction.atomic():
        ended = end_sessions(person)
        outcome = sessions_in_words(ended)
        record(request, Action.SESSIONS_ENDED, person=person, outcome=outcome)
    return ended


def sessions_in_words(count: int) -> str:
    return f"{count} {plural(count, 'session')} ended"
