from typing import Any, Never

from django.db import models

from batches import clock
from batches.models.batch import Batch
from batches.models.workspace import Workspace

# Who did what no person did.
ANTHROPIC, BATCHBOARD = "Anthropic", "Batchboard"


class AuditIsAppendOnly(TypeError):
    """Recorded events can't be changed or deleted."""


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    def update(self, **changes: Any) -> Never:
        raise AuditIsAppendOnly("Audit events are never changed.")

    def delete(self) -> Never:
        raise AuditIsAppendOnly("Audit events are never deleted.")

    def bulk_update(self, *args: Any, **options: Any) -> Never:
        raise AuditIsAppendOnly("Audit events are never changed.")


class AuditEvent(models.Model):
    """Who did what, from where, why, and the outcome. Append-only.

    People, workspaces and batches are held by name and number, not by foreign key, so that
    deleting one of them neither deletes nor blanks what was recorded.
    """

    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=150)
    actor_id = models.BigIntegerField(null=True)
    address = models.CharField(max_length=45, blank=True)
    action = models.CharField(max_length=40)
    workspace = models.CharField(max_length=100, blank=True)
    workspace_id = models.BigIntegerField(null=True, db_index=True)
    batch_api_id = models.CharField(max_length=200, blank=True, db_index=True)
    reason = models.CharField(max_length=500, blank=True)
    outcome = models.TextField(blank=True)
    request_id = models.CharField(max_length=200, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ("view",)

    @classmethod
    def record(
        cls,
        action: str,
        *,
        actor: Any = None,
        actor_name: str = "",
        batch: Batch | None = None,
        workspace: Workspace | None = None,
        **details: Any,
    ) -> "AuditEvent":
        """Record one action.

        `actor` is the person who took it. What no person did is recorded with `actor_name`
        ANTHROPIC or BATCHBOARD, and without an address.
        """
        workspace = batch.workspace if batch else workspace
        return cls.objects.create(
            action=action,
            actor=actor.get_username() if actor else actor_name,
            workspace=workspace.name if workspace else "",
            workspace_id=workspace.pk if workspace else None,
            batch_api_id=batch.api_id if batch else "",
            **{"at": clock.now(), "actor_id": actor.pk if actor else None, **details},
        )

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.actor} {self.action} {self.batch_api_id}"

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AuditIsAppendOnly("Audit events are never changed.")
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> Never:
        raise AuditIsAppendOnly("Audit events are never deleted.")
