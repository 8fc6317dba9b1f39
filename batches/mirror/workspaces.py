"""Workspaces as a whole: the environment's, and what deleting one does."""

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
    Ingestion,
    Observation,
    Workspace,
)
from batches.models.workspace import environment_key

# Three rounds, five minutes apart, after which missing batches are no longer expected; and more.
ACCEPTED_FOR = timedelta(hours=1)


def adopt_environment() -> Workspace | None:
    """Make, or update, the workspace that the environment's key stands for.

    The key itself stays in the environment. None when there is no key there: a workspace made
    earlier is then left as it is, as another machine's worker may have the key.
    """
    if not environment_key():
        return None
    mine = Workspace.objects.filter(from_environment=True)
    if not mine.exists():
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
            # Another process was quicker.
            if not mine.exists():
                raise
    mine.exclude(base_url=settings.ANTHROPIC_BASE_URL).update(base_url=settings.ANTHROPIC_BASE_URL)
    return mine.get()


def _free_name() -> str:
    for number in count(1):
        name = "default" if number == 1 else f"default-{number}"
        if not Workspace.objects.filter(Q(slug=name) | Q(name__iexact=name)).exists():
            return name
    raise AssertionError("count() ends only with memory")


def free_slug(name: str) -> str:
    """A slug made of the name that no workspace has yet."""
    stem = slugify(name)[:50].strip("-_") or "workspace"
    taken = set(Workspace.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    numbered = (f"{stem}-{number}" for number in count(2))
    return next(slug for slug in chain([stem], numbered) if slug not in taken)


def accept_list(workspace: Workspace) -> None:
    """Accept what the API lists for the workspace's key for an hour, whatever it holds.

    Batches that it no longer lists count as deleted after three rounds; others come in.
    """
    now = clock.now()
    Workspace.objects.filter(pk=workspace.pk).update(
        api_workspace_id="", list_accepted_until=now + ACCEPTED_FOR, next_attempt_at=None
    )


class Deletion(NamedTuple):
    """How many rows deleting a workspace takes away, and how many it leaves; in words, done."""

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
    """What deleting the workspace would do, to be shown before it is done."""
    return Deletion(
        batches=workspace.batches.count(),
        failed_requests=FailedRequest.objects.filter(batch__workspace=workspace).count(),
        cancellations_kept=Cancellation.objects.filter(batch__workspace=workspace).count(),
    )


def delete_workspace(workspace: Workspace) -> Deletion:
    """Delete the workspace and all that is mirrored of it, keeping cancellations and the audit.

    In SQL alone, as a workspace can hold millions of rows.
    """
    with transaction.atomic():
        done = deletion_of(workspace)
        mine = Batch.objects.filter(workspace=workspace)
        mine.update(latest_cancellation=None)
        Cancellation.objects.filter(batch__workspace=workspace).update(batch=None)
        for model in (FailedRequest, BatchUsage, Ingestion, Observation):
            rows = model._default_manager.filter(batch__workspace=workspace)
            rows._raw_delete(rows.db)
        mine._raw_delete(mine.db)
        workspace.delete()
    return done
