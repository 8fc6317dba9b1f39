"""Records audit events with the person and the address of a request."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.http import HttpRequest

from batches import clock
from batches.models import AuditEvent, Batch, Workspace
from batches.models.batch import COUNTS
from batches.results.download import RequestFilter
from dashboard.access import client_address
from dashboard.words import plural

# A person who repeats an action within this time adds no event, so that no one floods the audit.
ONCE = timedelta(minutes=1)
FORMATS = {"jsonl": "JSONL", "csv": "CSV", "ids": "custom_ids"}


def record(request: HttpRequest, action: AuditEvent.Action, **details: Any) -> AuditEvent:
    """Record what the signed-in person, or someone not signed in, did.

    `details` are the arguments of `AuditEvent.record`.
    """
    user = request.user if request.user.is_authenticated else None
    return AuditEvent.record(
        action,
        **{
            "actor": user,
            "by": AuditEvent.Actor.NOBODY,
            "address": client_address(request),
            **details,
        },
    )


def did_recently(user: Any, action: AuditEvent.Action, **columns: Any) -> bool:
    """Whether the person has an event with these columns from the last minute."""
    recent = AuditEvent.objects.filter(at__gt=clock.now() - ONCE)
    return recent.filter(actor_id=user.pk, action=action, **columns).exists()


def record_download(request: HttpRequest, batch: Batch, choice: RequestFilter, kind: str) -> None:
    """Record that the batch's results were sent, all or those of the `choice`."""
    # An address may contain any word. Recording each would let a person add endless events.
    which = choice.outcome if choice.outcome in {"", *COUNTS} else "other"
    stopped = set(choice.stop_reasons)
    with_reason = f" with stop reason {'/'.join(stopped)}" if len(stopped) == 1 else ""
    kind_of = choice.kind.replace("_", " ")
    named = f"{which} {kind_of}".strip() or ("some" if stopped else "all")
    what = (
        f"{named.capitalize()} results{with_reason} "
        f"as {FORMATS[kind]}, of {batch.total:,} {plural(batch.total, 'request')}"
    )
    action = AuditEvent.Action.RESULTS_DOWNLOADED
    same = {"batch_api_id": batch.api_id, "workspace_id": batch.workspace_id, "outcome": what}
    if not did_recently(request.user, action, **same):
        record(request, action, batch=batch, outcome=what)


def record_export(
    request: HttpRequest,
    name: str,
    *,
    filters: Mapping[str, Any],
    workspaces: Sequence[Workspace],
    rows: int | None = None,
) -> None:
    """Record that a CSV was sent, once for each workspace that it covers.

    `rows` is None if the rows are not counted before they are sent.
    """
    given = ", ".join(f"{name}={value}" for name, value in filters.items())
    counted = "" if rows is None else f"{rows:,} {plural(rows, 'row')}, "
    what = f"{name}: {counted}{f'filters: {given}' if given else 'all'}"
    action = AuditEvent.Action.EXPORTED
    covered: Sequence[Workspace | None] = workspaces or [None]
    for workspace in covered:
        same = {"workspace_id": workspace.pk if workspace else None, "outcome": what}
        if not did_recently(request.user, action, **same):
            record(request, action, workspace=workspace, outcome=what)
