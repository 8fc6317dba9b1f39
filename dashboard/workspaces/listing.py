"""What the list says of each workspace."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet

from batches import clock
from batches.models import Batch, Workspace
from dashboard.access import visible_people, visible_workspaces
from dashboard.health import NOTICE_KINDS, Health, health_of

# By the cause of `dashboard.health`.
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
class Row:
    """One workspace, with how up to date it is and how much it holds."""

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
    """How a workspace is, in words and with an icon."""

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


def listed(user: Any) -> list[Row]:
    """The workspaces that the person manages, by name: three queries, however many there are."""
    workspaces = list(visible_workspaces(user).for_admins())
    keys = [workspace.pk for workspace in workspaces]
    batches = _counted(Batch.objects.filter(workspace__in=keys))
    memberships = Workspace.members.through.objects.filter(workspace__in=keys)
    members = _counted(memberships.filter(user__in=visible_people(user).values("pk")))
    now = clock.now()
    return [
        Row(health_of(workspace, now), batches.get(workspace.pk, 0), members.get(workspace.pk, 0))
        for workspace in workspaces
    ]


def environment_variable() -> str:
    """The variable that the environment's key is in, as far as this process knows."""
    return "ANTHROPIC_AUTH_TOKEN" if settings.ANTHROPIC_AUTH_TOKEN else "ANTHROPIC_API_KEY"


def _counted(rows: QuerySet[Any]) -> dict[int, int]:
    return dict(rows.order_by().values_list("workspace").annotate(Count("pk")))
