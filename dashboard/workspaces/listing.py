"""The rows of the list of workspaces."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet

from batches import clock
from batches.models import Batch, Workspace
from dashboard.access import visible_people, visible_workspaces
from dashboard.health import NOTICE_KINDS, Health, health_of

# By `Health.cause`.
STATES = {
    "fresh": "Up to date",
    "listing": "Up to date; older batches are still loading",
    "waiting": "First sync in progress",
    "refused": "Key refused",
    "foreign": "Key of another Anthropic workspace",
    "undecryptable": "Key can’t be decrypted",
    "api": "Not answering",
    "failing": "Failing",
    "slow": "Not synced by the worker",
    "worker": "Worker not running",
    "off": "Disabled",
}
GOOD = {"fresh", "listing"}


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """A workspace, how up to date it is, and how many batches and members it has."""

    health: Health
    batches: int
    members: int

    @property
    def workspace(self) -> Workspace:
        return self.health.workspace

    @property
    def state(self) -> "State":
        return State(self.health)


@dataclass(frozen=True, slots=True)
class State:
    """A workspace's health in words, with an icon."""

    health: Health

    @property
    def words(self) -> str:
        return STATES[self.health.cause]

    @property
    def icon(self) -> str:
        cause = self.health.cause
        return "circle-check" if cause in GOOD else NOTICE_KINDS[cause][0]

    @property
    def level(self) -> str:
        cause = self.health.cause
        return "success" if cause in GOOD else NOTICE_KINDS[cause][1]


def listed(user: Any) -> list[WorkspaceRow]:
    """The workspaces that the person manages, by name, in three queries."""
    workspaces = list(visible_workspaces(user).for_admins())
    ids = [workspace.pk for workspace in workspaces]
    batches = _counted(Batch.objects.filter(workspace__in=ids))
    memberships = Workspace.members.through.objects.filter(workspace__in=ids)
    members = _counted(memberships.filter(user__in=visible_people(user).values("pk")))
    now = clock.now()
    return [
        WorkspaceRow(
            health_of(workspace, now), batches.get(workspace.pk, 0), members.get(workspace.pk, 0)
        )
        for workspace in workspaces
    ]


def environment_variable() -> str:
    """The variable that contains the environment's key, as far as this process knows."""
    return "ANTHROPIC_AUTH_TOKEN" if settings.ANTHROPIC_AUTH_TOKEN else "ANTHROPIC_API_KEY"


def _counted(rows: QuerySet[Any]) -> dict[int, int]:
    return dict(rows.order_by().values_list("workspace").annotate(Count("pk")))
