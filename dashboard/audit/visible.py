"""Which events a person may see, and whose names they may read in them."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet, Value

from batches.models import AuditEvent, Workspace
from batches.models.audit import AuditQuerySet
from dashboard.access import may, visible_people


def visible_events(user: Any, workspaces: list[Workspace]) -> AuditQuerySet:
    """The events that someone who may audit sees; `workspaces` are those visible to them.

    Those of their workspaces, and what they did or was done to them. An admin also sees events
    outside of any workspace about or by people they may know of, and those that name nobody; an
    actor whom they may not know of is marked as hidden. A superuser sees all.
    """
    events, nobody = AuditEvent.objects.all(), Value(value=False)
    if user.is_superuser:
        return events.hiding_actors(nobody)
    of_workspaces = Q(workspace_id__in=[workspace.pk for workspace in workspaces])
    own = Q(actor_id=user.pk) | Q(person_id=user.pk)
    if not may(user, "manage"):
        return events.filter(of_workspaces | own).hiding_actors(nobody)
    known = visible_people(user).values("pk")
    by_known_or_nobody = Q(person_id=None) & (Q(actor_id=None) | Q(actor_id__in=known))
    of_people = Q(workspace_id=None) & (Q(person_id__in=known) | by_known_or_nobody)
    by_stranger = Q(workspace_id=None, actor_id__isnull=False) & ~Q(actor_id__in=known)
    return events.filter(of_workspaces | own | of_people).hiding_actors(by_stranger)


def known_people(user: Any, workspaces: list[Workspace]) -> QuerySet[User]:
    """Whom a filter may suggest and find by their present name: people of the same workspaces;
    for admins, all whom they may know of."""
    if may(user, "manage"):
        return visible_people(user)
    return User.objects.filter(workspaces__in=workspaces, is_superuser=False).distinct()
