"""The list of people, with filters and pages."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator
from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet
from django.db.models.functions import Lower
from django.http import QueryDict

from batches.models import Workspace
from dashboard.access import visible_people, visible_workspaces
from dashboard.people.states import SignInState, locked_until, state_of
from dashboard.roles import NO_ROLE, ROLES, role_in_words, with_roles

PAGE_SIZE = 100


class PeopleFilter(forms.Form):
    q = forms.CharField(required=False, max_length=200)
    role = forms.ChoiceField(
        required=False, choices=[(role, role) for role in (*ROLES, NO_ROLE, "superuser")]
    )
    page = forms.IntegerField(required=False, min_value=1)

    def chosen(self) -> dict[str, Any]:
        """Every field's value; empty if it is invalid or wasn't given."""
        self.is_valid()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}


@dataclass(frozen=True)
class PersonRow:
    person: User
    role: str
    workspaces: list[Workspace]
    state: SignInState


def list_people(admin: Any, query: QueryDict) -> tuple[list[PersonRow], Page[User], PeopleFilter]:
    """One page of the people that the admin may see, sorted by name."""
    form = PeopleFilter(query)
    chosen = form.chosen()
    people = matching_people(with_roles(visible_people(admin)), chosen)
    page = Paginator(for_list(people, admin), PAGE_SIZE).get_page(chosen["page"] or 1)
    locks = locked_until(person.username for person in page)
    return [row_of(person, locks) for person in page], page, form


def matching_people(people: QuerySet[Any], chosen: dict[str, Any]) -> QuerySet[User]:
    if text := chosen["q"]:
        people = people.filter(Q(username__icontains=text) | Q(email__icontains=text))
    match chosen["role"]:
        case "":
            return people
        case "superuser":
            return people.filter(is_superuser=True)
        case role:
            rank = ROLES.index(role) if role in ROLES else None
            return people.filter(role_rank=rank, is_superuser=False)


def for_list(people: QuerySet[User], admin: Any) -> QuerySet[User]:
    managed = visible_workspaces(admin).values("pk")
    # Not `visible_workspaces` itself: prefetching would reuse its join with the admin's row.
    shared = Workspace.objects.only("name").filter(pk__in=managed).order_by("name")
    elsewhere = User.workspaces.through.objects.filter(user=OuterRef("pk"))
    return (
        people.annotate(
            is_elsewhere=Exists(elsewhere.exclude(workspace__in=managed)),
            link_until=F("password_link__valid_until"),
        )
        .prefetch_related(Prefetch("workspaces", shared, to_attr="shared"))
        .order_by(Lower("username"), "pk")
    )


def row_of(person: Any, locks: dict[str, Any]) -> PersonRow:
    state = state_of(person, link_until=person.link_until, locked=locks.get(person.username))
    return PersonRow(person, role_in_words(person), person.shared, state)
