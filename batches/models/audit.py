from typing import Any, Never, Self

from django.db import models

from batches import clock
from batches.models.batch import Batch
from batches.models.workspace import Workspace


class AuditIsAppendOnly(TypeError):
    """Recorded events can't be changed or deleted."""


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    def hiding_actors(self, which: models.Q | models.Value) -> Self:
        """Set `is_actor_hidden` on events whose actor must not be named."""
        return self.annotate(is_actor_hidden=which)

    def update(self, **changes: Any) -> Never:
        raise AuditIsAppendOnly("Audit events are never changed.")

    def delete(self) -> Never:
        raise AuditIsAppendOnly("Audit events are never deleted.")

    def bulk_update(self, *args: Any, **options: Any) -> Never:
        raise AuditIsAppendOnly("Audit events are never changed.")


class AuditEvent(models.Model):
    """Who did what, from where and why, and the outcome. Append-only.

    People, workspaces and batches are named by copies of name and ID, not by foreign keys, so
    that an event stays complete when one of them is deleted.
    """

    class Action(models.TextChoices):
        CANCEL_REQUESTED = "cancel requested", "cancel requested"
        CANCEL_REPEATED = "cancel requested again", "cancel requested again"
        CANCEL_ACCEPTED = "cancel accepted", "cancel accepted"
        CANCEL_REFUSED = "cancel refused", "cancel refused"
        CANCEL_OVERTAKEN = "cancel overtaken", "finished before the cancel"
        BATCH_ENDED = "batch ended", "batch ended"
        BATCH_GONE = "batch gone", "batch deleted upstream"
        BATCH_LABELED = "batch labeled", "batch labeled"
        RETRY_LINKED = "retry linked", "retry linked"
        RETRY_UNLINKED = "retry unlinked", "retry link removed"
        RESULTS_REREAD = "results reread", "results read again"
        RESULTS_DOWNLOADED = "results downloaded", "results downloaded"
        EXPORTED = "exported", "CSV exported"
        WORKSPACE_ADDED = "workspace added", "workspace added"
        WORKSPACE_CHANGED = "workspace changed", "workspace changed"
        WORKSPACE_LIST_ACCEPTED = "workspace list accepted", "workspace list accepted"
        WORKSPACE_DELETED = "workspace deleted", "workspace deleted"
        MEMBER_ADDED = "member added", "member added"
        MEMBER_REMOVED = "member removed", "member removed"
        PERSON_ADDED = "person added", "person added"
        PERSON_CHANGED = "person changed", "person changed"
        PERSON_DEACTIVATED = "person deactivated", "person deactivated"
        PERSON_REACTIVATED = "person reactivated", "person reactivated"
        TOKEN_MADE = "token made", "API token made"
        TOKEN_REVOKED = "token revoked", "API token revoked"
        LINK_MADE = "password link made", "password link made"
        PASSWORD_SET = "password set", "password set by link"
        PASSWORD_CHANGED = "password changed", "password changed"
        SIGNED_IN = "signed in", "signed in"
        SIGNED_OUT = "signed out", "signed out"
        SESSIONS_ENDED = "sessions ended", "signed out elsewhere"
        SIGN_IN_FAILED = "sign-in failed", "sign-in failed"
        SIGN_IN_LOCKED = "sign-in locked", "sign-in locked"
        ACTION_REFUSED = "action refused", "action refused"

    class Actor(models.TextChoices):
        PERSON = "person", "person"
        ANTHROPIC = "anthropic", "Anthropic"
        BATCHBOARD = "batchboard", "Batchboard"
        NOBODY = "nobody", "someone not signed in"

    at = models.DateTimeField(db_index=True)
    actor_kind = models.CharField(max_length=10, choices=Actor, default=Actor.PERSON)
    actor = models.CharField(max_length=150)
    actor_id = models.BigIntegerField(null=True)
    address = models.CharField(max_length=45, blank=True)
    # The name of the API token that the actor used; None for a browser. Not an empty text, because
    # SQLite can add a column that allows NULL without building another table.
    token = models.CharField(max_length=100, null=True)  # noqa: DJ001
    # One of Action, or an action of an older version.
    action = models.CharField(max_length=40)
    # The person to whom it was done, if there is one.
    person = models.CharField(max_length=150, blank=True)
    person_id = models.BigIntegerField(null=True)
    workspace = models.CharField(max_length=100, blank=True)
    workspace_id = models.BigIntegerField(null=True)
    batch_api_id = models.CharField(max_length=200, blank=True, db_index=True)
    # The cancellation that the event belongs to. Pages show the other events of a cancellation as
    # steps of the event that requested it.
    cancellation_id = models.BigIntegerField(null=True, db_index=True)
    is_step = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True)
    outcome = models.TextField(blank=True)
    request_id = models.CharField(max_length=200, blank=True)

    # Set by `hiding_actors`.
    is_actor_hidden: bool = False

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ("view",)
        # The last column gives the order for queries of the newest events. No index begins with
        # person_id: with one, SQLite would collect and sort all events that a person may see,
        # rather than walk back from the newest.
        indexes = [
            models.Index(fields=["workspace_id", "id"], name="audit_workspace"),
            models.Index(fields=["action", "id"], name="audit_action"),
            models.Index(fields=["actor_id", "at"], name="audit_actor"),
        ]

    @classmethod
    def record(
        cls,
        action: str,
        *,
        actor: Any = None,
        by: Actor = Actor.BATCHBOARD,
        person: Any = None,
        batch: Batch | None = None,
        workspace: Workspace | None = None,
        **details: Any,
    ) -> "AuditEvent":
        """Record one action, one of Action.

        `actor` is the person who took it, and `person` the one to whom it was done. For what no
        person did, `by` says who did it instead.
        """
        event = cls.of(
            action, actor=actor, by=by, person=person, batch=batch, workspace=workspace, **details
        )
        event.save()
        return event

    @classmethod
    def of(
        cls,
        action: str,
        *,
        actor: Any = None,
        by: Actor = Actor.BATCHBOARD,
        person: Any = None,
        batch: Batch | None = None,
        workspace: Workspace | None = None,
        **details: Any,
    ) -> "AuditEvent":
        """The event that `record` saves.

        An actor who uses an API token has its name as `token_name`.
        """
        workspace = batch.workspace if batch else workspace
        return cls(
            action=action,
            actor_kind=cls.Actor.PERSON if actor else by,
            actor=actor.get_username() if actor else by.label,
            actor_id=actor.pk if actor else None,
            person=person.get_username() if person else "",
            person_id=person.pk if person else None,
            workspace=workspace.name if workspace else "",
            workspace_id=workspace.pk if workspace else None,
            **{
                "at": clock.now(),
                "token": getattr(actor, "token_name", None),
                "batch_api_id": batch.api_id if batch else "",
                **details,
            },
        )

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.actor} {self.action} {self.batch_api_id}"

    @property
    def action_words(self) -> str:
        """The action in words for pages; an action of an older version as it was recorded."""
        return dict(self.Action.choices).get(self.action, self.action)

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AuditIsAppendOnly("Audit events are never changed.")
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> Never:
        raise AuditIsAppendOnly("Audit events are never deleted.")
