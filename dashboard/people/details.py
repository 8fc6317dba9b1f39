"""The details of a person that an admin edits, and their changes in words."""

import hashlib
from typing import Any, NamedTuple

from django.contrib.auth.models import User

from dashboard.access import visible_workspaces
from dashboard.roles import role_of

OUT_OF_REACH = (
    "This person is also a member of a workspace that you don’t manage, so you can change only "
    "their membership in your own workspaces. A superuser can change the rest."
)


class Details(NamedTuple):
    """What an admin edits. `workspaces` are the IDs of those that the admin may see."""

    username: str = ""
    email: str = ""
    role: str = ""
    is_active: bool = True
    workspaces: frozenset[int] = frozenset()

    @property
    def account(self) -> tuple[str, str, str, bool]:
        """The details that only someone who manages all of the person's workspaces may change."""
        return self.username, self.email, self.role, self.is_active

    @property
    def version(self) -> str:
        """A hash of everything that the form shows."""
        shown = repr((*self.account, sorted(self.workspaces)))
        return hashlib.sha256(shown.encode()).hexdigest()


def details_of(person: User, admin: Any) -> Details:
    """The person's stored details, without the workspaces that the admin may not see."""
    shared = visible_workspaces(admin).filter(pk__in=person.workspaces.values("pk"))
    return Details(
        username=person.username,
        email=person.email,
        role=role_of(person),
        is_active=person.is_active,
        workspaces=frozenset(shared.values_list("pk", flat=True)),
    )


def differences(before: Details, after: Details) -> str:
    """The changes of name, e-mail and role, such as "role: viewer → lead"; empty without any."""
    pairs = (
        ("username", before.username, after.username),
        ("e-mail", before.email or "none", after.email or "none"),
        ("role", before.role or "no role", after.role or "no role"),
    )
    return "; ".join(f"{what}: {old} → {new}" for what, old, new in pairs if old != new)
