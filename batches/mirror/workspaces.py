"""Creates the environment's workspace, and deletes workspaces."""

from datetime import timedelta
from itertools import chain, count
from typing import NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.text import slugify

from batches import clock
from batches.models import (
    Batch,
    BatchUsage,
    Cancellation,
    FailedRequest,
    Observation,
    Reading,
    Workspace,
)
from batches.models.workspace import environment_key

# More than the three rounds, five minutes apart, after which missing batches count as deleted.
ACCEPTED_FOR = timedelta(hours=1)


def adopt_environment() -> Workspace | None:
    """Create or update the workspace of the environment's key.

    The key itself is not stored. Without a key, returns None and leaves a workspace from earlier
    as it is, since a worker on another machine may have the key.
    """
    if not environment_key():
        return None
    rows = Workspace.objects.filter(from_environment=True)
    if not rows.exists():
        name = _free_name()
        try:
            with transaction.atomic():
                Workspace.objects.create(
                    name=name.capitalize(),
                    slug=name,
                    base_url=settings.ANTHROPIC_BASE_URL,
                    from_environment=True,
                )
        except IntegrityError:
            # Another process may have created it first.
            if not rows.exists():
                raise
    rows.exclude(base_url=settings.ANTHROPIC_BASE_URL).update(base_url=settings.ANTHROPIC_BASE_URL)
    return rows.get()


def _free_name() -> str:
    for number in count(1):
        name = "default" if number == 1 else f"default-{number}"
        if not Workspace.objects.filter(Q(slug=name) | Q(name__iexact=name)).exists():
            return name
    raise AssertionError("count() never ends")


def free_slug(name: str) -> str:
    """A slug made from the name that no workspace has yet."""
    stem = slugify(name)[:50].strip("-_") or "workspace"
    taken = set(Workspace.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    numbered = (f"{stem}-{number}" for number in count(2))
    return next(slug for slug in chain([stem], numbered) if slug not in taken)


def accept_list(workspace: Workspace) -> None:
    """Accept any list that the API returns for the workspace's key, for an hour.

    Batches that it lacks count as deleted after three rounds; new ones are mirrored.
    """
    now = clock.now()
    Workspace.objects.filter(pk=workspace.pk).update(
        api_workspace_id="", list_accepted_until=now + ACCEPTED_FOR, next_attempt_at=None
    )


class Deletion(NamedTuple):
    """How many rows deleting a workspace removes and keeps. As text: what was done."""

    batches: int
    failed_requests: int
    cancellations_kept: int

    def __str__(self) -> str:
        return (
            f"Deleted: batches ({self.batches:,}) with labels, usage and costs, failed requests "
            f"({self.failed_requests:,}). Kept: cancellations ({self.cancellations_kept:,}), all "
            "audit events. At Anthropic nothing was deleted or canceled."
        )


def deletion_of(workspace: Workspace) -> Deletion:
    """What deleting the workspace would do, to show before it is done."""
    return Deletion(
        batches=workspace.batches.count(),
        failed_requests=FailedRequest.objects.filter(batch__workspace=workspace).count(),
        cancellations_kept=Cancellation.objects.filter(batch__workspace=workspace).count(),
    )


def delete_workspace(workspace: Workspace) -> Deletion:
    """Delete the workspace and its mirrored batches; keep its cancellations and audit events.

    Loads no rows, as a workspace can hold millions.
    """
    with transaction.atomic():
        done = deletion_of(workspace)
        batches = Batch.objects.filter(workspace=workspace)
        batches.update(latest_cancellation=None)
        Cancellation.objects.filter(batch__workspace=workspace).update(batch=None)
        for model in (FailedRequest, BatchUsage, Reading, Observation):
            rows = model._default_manager.filter(batch__workspace=workspace)
            rows._raw_delete(rows.db)
        batches._raw_delete(batches.db)
        workspace.delete()
    return done
