"""The pages that list, add and edit people, and make password links."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batches import clock
from dashboard.access import allow, may, may_manage_account, visible_people, visible_workspaces
from dashboard.models import ApiToken, PasswordLink
from dashboard.password_links import to_the_minute
from dashboard.people.changes import (
    ChangeRefused,
    PersonChanged,
    add_person,
    change_person,
    replace_password,
    sessions_in_words,
    sign_out_everywhere,
)
from dashboard.people.details import OUT_OF_REACH, Details, details_of
from dashboard.people.forms import PersonForm
from dashboard.people.listing import list_people
from dashboard.people.states import locked_until, state_of
from dashboard.roles import NO_ROLE, ROLES, role_in_words
from dashboard.sessions import sessions_of

NEW = Details(role="viewer")


@allow("manage")
@require_safe
def person_list(request: HttpRequest) -> HttpResponse:
    rows, page, form = list_people(request.user, request.GET)
    context = {
        "rows": rows,
        "page": page,
        "chosen": form.chosen(),
        "problems": [error for errors in form.errors.values() for error in errors],
        "roles": [*ROLES, NO_ROLE, *(["superuser"] if request.user.is_superuser else [])],
    }
    return render(request, "people/person_list.html", context)


@allow("manage")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def person_add(request: HttpRequest) -> HttpResponse:
    """GET shows the form. POST adds the person and shows the link to set a password."""
    form = PersonForm(posted(request), admin=request.user, current=NEW)
    if form.is_valid():
        try:
            return link_page(request, *add_person(request, form.details))
        except ChangeRefused as refusal:
            form.add_error(refusal.field, str(refusal))
    return render(request, "people/person_form.html", {"form": form})


@allow("manage")
@require_http_methods(["GET", "HEAD", "POST"])
def person_edit(request: HttpRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(visible_people(request.user), pk=pk)
    current = details_of(person, request.user)
    form = PersonForm(posted(request), admin=request.user, current=current, person=person)
    if form.is_valid() and (saved := save_person(request, pk, form)):
        messages.success(request, f"Saved {saved.username}.")
        # The admin may have changed their own role.
        admin = saved if saved == request.user else request.user
        return redirect("person-list" if may(admin, "manage") else "account")
    context = {"form": form, "current": current, **about(request, person)}
    return render(request, "people/person_form.html", context)


def save_person(request: HttpRequest, pk: int, form: PersonForm) -> User | None:
    """The saved person; None if the change was refused, with an error added to the form."""
    try:
        return change_person(request, pk, form.details, seen=form.cleaned_data["version"])
    except PersonChanged:
        form.is_conflict = True
    except ChangeRefused as refusal:
        form.add_error(refusal.field, str(refusal))
    return None


@allow("manage")
@require_POST
@never_cache
def person_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Replaces the person's password with a new link, and shows the link."""
    person = manageable_person(request, pk)
    if person == request.user:
        raise PermissionDenied
    try:
        return link_page(request, *replace_password(request, person))
    except ChangeRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("person-edit", pk)


@allow("manage")
@require_POST
def person_sign_out(request: HttpRequest, pk: int) -> HttpResponse:
    person = manageable_person(request, pk)
    ended = sign_out_everywhere(request, person)
    messages.success(request, f"{person.username}: {sessions_in_words(ended)}.")
    return redirect("person-edit", pk)


def posted(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def manageable_person(request: HttpRequest, pk: int) -> User:
    """Raises Http404 for a person that the admin may not see, and PermissionDenied for one whose
    account they can't manage.
    """
    person = get_object_or_404(visible_people(request.user), pk=pk)
    if not may_manage_account(request.user, person):
        raise PermissionDenied
    return person


def about(request: HttpRequest, person: User) -> dict[str, Any]:
    """What a person's page shows next to the form."""
    link = PasswordLink.objects.filter(person=person).first()
    locked = locked_until([person.username]).get(person.username)
    link_until = link.valid_until if link else None
    shared = visible_workspaces(request.user).filter(pk__in=person.workspaces.values("pk"))
    return {
        "person": person,
        "stored_workspaces": [workspace.name for workspace in shared],
        "role": role_in_words(person),
        "state": state_of(person, link_until=link_until, locked=locked),
        "has_link": link is not None,
        "sessions": sessions_of(person).count(),
        "tokens": ApiToken.objects.filter(person=person).working(clock.now()),
        "is_own": person == request.user,
        "out_of_reach": OUT_OF_REACH,
    }


def link_page(request: HttpRequest, person: User, path: str, link: PasswordLink) -> HttpResponse:
    """The page with the link, as the answer to the POST: a redirect would need a stored link."""
    context = {
        "person": person,
        "url": request.build_absolute_uri(path),
        "until": to_the_minute(link.valid_until),
    }
    return render(request, "people/password_link.html", context)
