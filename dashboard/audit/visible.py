"""The events that a person may see, and the names that they may see in them."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet, Value

from batches.models import AuditEvent, Workspace
from batches.models.audit import AuditQuerySet
from dashboard.access import may, visible_people


def visible_events(user: Any, workspaces: list[Workspace]) -> AuditQuerySet:
    """The events that a lead or admin sees. `workspaces` are those visible to them.

    They see the events of their workspaces, and events by or about themselves. An admin also sees
    events without a workspace that are about people they may see, or about no one and by people
    they may see or by no one. An actor whom they may not see is marked as hidden. A superuser sees
    every event.
    """
    events, never = AuditEvent.objects.all(), Value(value=False)
    if user.is_superuser:
        return events.hiding_actors(never)
    of_workspaces = Q(workspace_id__in=[workspace.pk for workspace in workspaces])
    own = Q(actor_id=user.pk) | Q(person_id=user.pk)
    if not may(user, "manage"):
        return events.filter(of_workspaces | own).hiding_actors(never)
    known = visible_people(user).values("pk")
    by_known_or_no_one = Q(person_id=None) & (Q(actor_id=None) | Q(actor_id__in=known))
    of_people = Q(workspace_id=None) & (Q(person_id__in=known) | by_known_or_no_one)
    by_stranger = Q(workspace_id=None, actor_id__isnull=False) & ~Q(actor_id__in=known)
    return events.filter(of_workspaces | own | of_people).hiding_actors(by_stranger)


def known_people(user: Any, workspaces: list[Workspace]) -> QuerySet[User]:
    """The people that the filter suggests, and finds by their current name.

    Members of the same workspaces; for an admin, everyone they may see.
    """
    if may(user, "manage"):
        return visible_people(user)
    return User.objects.filter(workspaces__in=workspaces, is_superuser=False).distinct()
