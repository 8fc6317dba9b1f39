"""Which batch sends requests of an earlier one again. Only Batchboard knows; the API doesn't."""

from typing import Any

from django.db.models import Q

from batches import clock
from batches.models import AuditEvent, Batch, BatchQuerySet, Revision
from batches.search import ID_PREFIX, IN_ADDRESS

# How many batches with the same label a person may choose from.
MOST_FOUND = 5


class CannotLink(Exception):
    """The batches can't be linked. `str(error)` is a sentence for a person."""


def link(batch: Batch, old: Batch, *, actor: Any, address: str) -> None:
    """Store that `batch` sends requests of `old` again, and record it in the audit.

    Raises CannotLink, and changes nothing, unless both are in one workspace and `old` is older.
    As every link leads to an older batch, links never form a circle.
    """
    with Revision.writing():
        row = _locked(batch)
        if row.pk == old.pk:
            raise CannotLink("A batch can’t retry itself.")
        if row.workspace_id != old.workspace_id:
            raise CannotLink("Both batches must be in the same workspace.")
        if old.created_at >= row.created_at:
            raise CannotLink("A batch can only retry one that was created before it.")
        if row.resubmits_id == old.pk:
            return
        _write(row, old, actor=actor, address=address)


def unlink(batch: Batch, *, actor: Any, address: str) -> bool:
    """Undo `link`, and record it in the audit. False if there was no link."""
    with Revision.writing():
        row = _locked(batch)
        if row.resubmits_id is None:
            return False
        _write(row, None, actor=actor, address=address)
        return True


def find(text: str, workspace: int) -> Batch:
    """The batch of the workspace that an ID, a Batchboard address or a label names.

    Raises CannotLink if there is none, or if several have the label.
    """
    wanted = " ".join(text.split())
    if not wanted or "\0" in wanted:
        raise CannotLink("Enter the ID, the address or the label of a batch.")
    in_address = IN_ADDRESS.search(wanted)
    api_id = in_address[1] if in_address else wanted
    batches = Batch.objects.filter(workspace=workspace).with_workspace().defer("raw")
    by_id = batches.filter(Q(api_id=api_id) | Q(api_id=ID_PREFIX + api_id)).first()
    if by_id:
        return by_id
    labeled = list(batches.filter(label__iexact=wanted).order_by("-created_at")[:MOST_FOUND])
    if len(labeled) == 1:
        return labeled[0]
    if labeled:
        ids = ", ".join(batch.api_id for batch in labeled)
        raise CannotLink(f"Several batches have the label “{wanted[:100]}”. Enter an ID: {ids}.")
    raise CannotLink(f"This workspace has no batch “{wanted[:100]}”.")


def resubmissions(batches: BatchQuerySet) -> BatchQuerySet:
    """Those of the batches that send requests of an earlier batch again.

    What they cost was not paid before for the same requests, unless those had succeeded: failed,
    canceled and expired requests are free.
    """
    return batches.filter(resubmits__isnull=False)


def _locked(batch: Batch) -> Batch:
    rows = Batch.objects.select_for_update(of=("self",)).with_workspace().defer("raw")
    return rows.get(pk=batch.pk)


def _write(row: Batch, old: Batch | None, *, actor: Any, address: str) -> None:
    before = row.resubmits
    row.touch(resubmits=old)
    # Their pages show the link, too.
    for other in (before, old):
        if other:
            other.touch()
    named = old or before
    AuditEvent.record(
        AuditEvent.Action.RETRY_LINKED if old else AuditEvent.Action.RETRY_UNLINKED,
        actor=actor,
        batch=row,
        address=address,
        at=clock.now(),
        outcome=f"This batch {'retries' if old else 'no longer retries'} {named}.",
    )
