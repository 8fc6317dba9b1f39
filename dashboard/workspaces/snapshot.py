"""The edited values of a workspace, to notice that someone else has changed them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.contrib.auth.models import User
from django.core import signing

from batches.models import Workspace
from dashboard.access import visible_people

# The columns that the form edits, and their names on pages.
TITLES = {
    "name": "Name",
    "slug": "Short name",
    "base_url": "Address",
    "auth": "Kind of key",
    "anthropic_workspace_id": "Anthropic workspace ID",
    "is_enabled": "Enabled",
}


class Change(NamedTuple):
    """One difference between two snapshots, in words."""

    title: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.title}: {self.before} → {self.after}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The edited columns of a workspace, and the members that one person may see, at one moment.

    Does not include what the worker writes. Secrets are represented by when they were stored.
    """

    name: str
    slug: str
    base_url: str
    auth: str
    anthropic_workspace_id: str
    is_enabled: bool
    members: tuple[int, ...]
    key_set_at: str = ""
    headers_set_at: str = ""

    @classmethod
    def of(cls, workspace: Workspace, user: Any) -> Self:
        """The snapshot of a row. Reads the members from the database."""
        memberships = Workspace.members.through.objects.filter(
            workspace=workspace.pk, user__in=visible_people(user).values("pk")
        )
        return cls(
            **{name: getattr(workspace, name) for name in TITLES},
            members=tuple(sorted(memberships.values_list("user", flat=True))),
            key_set_at=_text(workspace.key_set_at),
            headers_set_at=_text(workspace.headers_set_at),
        )

    @classmethod
    def read(cls, token: str, workspace: Workspace) -> Self | None:
        """The snapshot in a token from `sealed` for this workspace; None for any other text."""
        try:
            values = signing.loads(token, salt=_salt(workspace))
            return cls(**values | {"members": tuple(values["members"])})
        except (signing.BadSignature, TypeError, KeyError):
            return None

    def sealed(self, workspace: Workspace) -> str:
        """The snapshot as signed text for a hidden field."""
        return signing.dumps(asdict(self), salt=_salt(workspace))

    def changes(self, later: "Snapshot") -> list[Change]:
        """The differences in `later`, without members and secrets."""
        return [
            Change(title, words(getattr(self, name)), words(getattr(later, name)))
            for name, title in TITLES.items()
            if getattr(self, name) != getattr(later, name)
        ]

    def all_changes(self, later: "Snapshot") -> list[Change]:
        """The differences in `later`, with members by name and secrets without their values."""
        changes = self.changes(later)
        before, after = set(self.members), set(later.members)
        changes += [Change("Member", name, "none") for name in names_of_people(before - after)]
        changes += [Change("Member", "none", name) for name in names_of_people(after - before)]
        if self.key_set_at != later.key_set_at:
            changes.append(Change("API key", "an older one", "a new one"))
        if self.headers_set_at != later.headers_set_at:
            changes.append(Change("Extra headers", "older ones", "changed"))
        return changes


def names_of_people(people: Iterable[int]) -> list[str]:
    """The usernames of the people with these primary keys, in alphabetical order."""
    found = User.objects.filter(pk__in=list(people)).order_by("username")
    return list(found.values_list("username", flat=True))


def words(value: Any) -> str:
    """A value of the form as the audit and the page show it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"“{value}”" if value else "none"


def _text(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _salt(workspace: Workspace) -> str:
    return f"workspaces.seen.{workspace.pk}"
