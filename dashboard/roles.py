"""The roles: what each allows, and which one a person has."""

from functools import cache
from typing import Any, NamedTuple

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Case, F, OuterRef, QuerySet, Subquery, When

from dashboard.models import Preferences

# In order: each role may also do what the roles before it may.
MAY = {
    "viewer": "sees batches",
    "operator": "also cancels and labels",
    "lead": "also sees spend and the audit trail, and exports",
    "admin": "also manages workspaces and people",
}
ROLES = tuple(MAY)
# How forms and addresses say that a person has no role.
NO_ROLE = "none"
NO_ROLE_MAY = "can’t see anything"


class Needed(NamedTuple):
    """The lowest role that allows something, and what that is: "to see spend"."""

    role: str
    words: str


# The things that views and templates check for.
NEEDED = {
    # Anyone who is signed in, even without a role.
    "account": Needed("", "to see your account"),
    "see": Needed("viewer", "to see batches"),
    "cancel": Needed("operator", "to cancel batches"),
    "label": Needed("operator", "to label batches or read their results again"),
    "spend": Needed("lead", "to see spend"),
    "audit": Needed("lead", "to see the audit trail"),
    "export": Needed("lead", "to export the list"),
    "manage": Needed("admin", "to manage workspaces and people"),
}


def allows(role: str, thing: str) -> bool:
    """Whether the role, empty for none, allows the thing, one of NEEDED."""
    lowest = NEEDED[thing].role
    return not lowest or (bool(role) and ROLES.index(role) >= ROLES.index(lowest))


class RoleBackend(ModelBackend):
    """Django's own backend, but a session's person has a `role_rank` and a `time_zone`."""

    def get_user(self, user_id: Any) -> User | None:
        # Raw, because building this query with the ORM takes longer than the rest of a poll.
        user = next(iter(User.objects.raw(_person_sql(), [user_id])), None)
        return user if user and self.user_can_authenticate(user) else None


@cache
def _person_sql() -> str:
    """A person with the index of their highest role in ROLES, or NULL if they have none.

    And with the time zone of their preferences, so that no page needs a query for it.
    """
    quote = connection.ops.quote_name
    person, group = quote(User._meta.db_table), quote(Group._meta.db_table)
    held = quote(User.groups.through._meta.db_table)
    preferences = quote(Preferences._meta.db_table)
    ranks = " ".join(f"WHEN '{role}' THEN {rank}" for rank, role in enumerate(ROLES))
    return f"""
        SELECT {person}.*, (
            SELECT MAX(CASE {group}.name {ranks} END) FROM {held}
            JOIN {group} ON {group}.id = {held}.group_id
            WHERE {held}.user_id = {person}.id
        ) AS role_rank, (
            SELECT time_zone FROM {preferences} WHERE person_id = {person}.id
        ) AS time_zone
        FROM {person} WHERE {person}.id = %s
    """  # noqa: S608


def role_of(user: Any) -> str:
    """The person's highest role, or an empty text if they have none."""
    if not user.is_authenticated:
        return ""
    if user.is_superuser:
        return "admin"
    if not hasattr(user, "role_rank"):
        held = set(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
        user.role_rank = max((ROLES.index(role) for role in held), default=None)
    return "" if user.role_rank is None else ROLES[user.role_rank]


def role_in_words(user: Any) -> str:
    """The person's role as pages show it: one of ROLES, "superuser" or "no role"."""
    return "superuser" if user.is_superuser else role_of(user) or "no role"


def with_roles(people: QuerySet[User]) -> QuerySet[User]:
    """Annotate each person with `role_rank`, so that `role_of` needs no query of its own."""
    rank = Case(*(When(group__name=role, then=number) for number, role in enumerate(ROLES)))
    held = User.groups.through.objects.filter(user=OuterRef("pk"))
    ranks = held.values(rank=rank).order_by(F("rank").desc(nulls_last=True))
    return people.annotate(role_rank=Subquery(ranks[:1]))


def give_role(person: User, role: str) -> None:
    """Replace the person's roles with one of ROLES, or with none for "". Other groups stay."""
    person.groups.remove(*Group.objects.filter(name__in=ROLES))
    if role:
        person.groups.add(Group.objects.get(name=role))
    if hasattr(person, "role_rank"):
        del person.role_rank
