"""Reads unreadable results again when a person asks for it."""

from typing import Any

from batches.models import AuditEvent, Batch, Reading, Revision


class NothingToReread(Exception):
    """The batch's results are not unreadable. `str(error)` is a sentence for a person."""


def read_again(batch: Batch, *, actor: Any, address: str) -> None:
    """Make the results due for reading at once, with all attempts, and record who asked for it.

    Raises NothingToReread, and changes nothing, if they are read, pending or no longer available.
    """
    with Revision.writing():
        row = (
            Batch.objects.select_for_update(of=("self",))
            .with_workspace()
            .defer("raw")
            .get(pk=batch.pk)
        )
        _refuse_unless_unreadable(row)
        Reading.objects.filter(batch=row).update(
            next_attempt_at=None, attempts=0, unreadable_attempts=0
        )
        row.touch(results_state=Batch.ResultsState.PENDING)
        AuditEvent.record(
            AuditEvent.Action.RESULTS_REREAD,
            actor=actor,
            batch=row,
            address=address,
            outcome="Batchboard will read the results again.",
        )


def _refuse_unless_unreadable(batch: Batch) -> None:
    state = batch.results_state
    if not batch.has_ended:
        raise NothingToReread("There are no results yet: the batch has not ended.")
    if batch.has_figures:
        raise NothingToReread("The results have already been read.")
    if state == Batch.ResultsState.LOST or batch.archived_at or batch.deleted_upstream_at:
        raise NothingToReread("Anthropic no longer has the results.")
    if state == Batch.ResultsState.PENDING:
        raise NothingToReread("The results are about to be read anyway.")
