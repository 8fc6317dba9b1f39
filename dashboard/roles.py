"""People and their role in one query: a poll every few seconds pays for each one more."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, User
from django.db.models import Case, IntegerField, Max, OuterRef, Subquery, Value, When

# In order: each may do what those before it may.
ROLES = ("viewer", "operator", "lead", "admin")


class RoleBackend(ModelBackend):
    """Django's own sign-in; whoever comes back with a session arrives with `role_rank`."""

    def get_user(self, user_id: Any) -> User | None:
        ranks = Case(
            *[When(name=role, then=Value(rank)) for rank, role in enumerate(ROLES)],
            output_field=IntegerField(),
        )
        highest = (
            Group.objects.filter(user=OuterRef("pk"), name__in=ROLES)
            .order_by()
            .values("user")
            .annotate(rank=Max(ranks))
            .values("rank")
        )
        user = User.objects.annotate(role_rank=Subquery(highest)).filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None


def role_of(user: Any) -> str:
    """The highest of the person's roles, empty when they have none."""
    if not user.is_authenticated:
        return ""
    if user.is_superuser:
        return "admin"
    if not hasattr(user, "role_rank"):
        held = set(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
        user.role_rank = max((ROLES.index(role) for role in held), default=None)
    return "" if user.role_rank is None else ROLES[user.role_rank]
