"""Cancels a batch. The cancellation is saved before the API is called, so it survives a crash."""

import threading
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError

from batches import clock, connect
from batches.client import (
    ApiError,
    ApiRefused,
    BatchNotFound,
    KeyRefused,
    RemoteBatch,
    TryLater,
)
from batches.mirror.store import OtherWorkspace, refuse_other_workspace, write_rows
from batches.models import AuditEvent, Batch, Cancellation, ClaimLost, Revision, Workspace
from batches.models.batch import COUNTS
from batches.models.claim import CLAIM, new_claim

log = structlog.get_logger(__name__)

# A person is waiting for the answer; after this the worker goes on (the page says so).
PRESS_SECONDS = 3.0
# So many presses of one process wait for the API at once; its other threads serve pages.
MOST_PRESSES = 4
# Nobody waits for a call of the worker's.
ATTEMPT_SECONDS = 10.0
# One 404 proves nothing (api.md): this many in a row, over this long, do.
NOT_FOUND_COUNT = 3
NOT_FOUND_FOR = timedelta(minutes=3)
# So many presses of one person are recorded for a cancellation that stands.
MOST_RECORDED = 20
REPEATED = "A cancellation was already requested."
# Columns that decide whether a batch can be canceled, and that its receipt begins with.
REQUESTED = (
    *("api_id", "workspace", "processing_status", "outcome", *COUNTS),
    *("cancel_initiated_at", "deleted_upstream_at"),
)

_presses = threading.BoundedSemaphore(MOST_PRESSES)


class AlreadyEnded(Exception):
    """There is nothing left to cancel. Fit to show a person."""


def cancel_batch(batch: Batch, *, actor: Any, address: str, reason: str) -> Cancellation:
    """Save the cancellation, then call the API once; takes at most PRESS_SECONDS.

    The state that is returned says what is known: accepted, refused, overtaken, or still
    requested, in which case a worker goes on. The API isn't called here when MOST_PRESSES
    others of this process are waiting for it. Raises AlreadyEnded.
    """
    may_wait = _presses.acquire(blocking=False)
    try:
        cancellation = request(batch, actor=actor, address=address, reason=reason, claim=may_wait)
        if cancellation.claim and may_wait:
            _attempt_once(cancellation)
        return cancellation
    finally:
        if may_wait:
            _presses.release()


def _attempt_once(cancellation: Cancellation) -> None:
    try:
        attempt(cancellation, within=PRESS_SECONDS)
    except (OperationalError, InterfaceError) as error:
        # The request is saved, the attempt is not: a worker goes on once the claim has lapsed.
        cancellation.state = Cancellation.State.REQUESTED
        log.warning("database failed", batch=cancellation.batch_api_id, error=str(error))


def request(
    batch: Batch, *, actor: Any, address: str, reason: str, claim: bool = False
) -> Cancellation:
    """Commit the cancellation, or find the one that stands: two presses are one cancellation.

    With `claim` the row is the caller's to attempt if it has a claim. Raises AlreadyEnded when
    the batch has ended or is gone upstream.
    """
    now = clock.now()
    with Revision.writing():
        workspace = batch.workspace
        batch = Batch.objects.select_for_update().only(*REQUESTED).get(pk=batch.pk)
        batch.workspace = workspace
        if batch.has_ended:
            raise AlreadyEnded(f"It had already ended: {batch.outcome_sentence}.")
        if batch.deleted_upstream_at:
            raise AlreadyEnded("Anthropic no longer has this batch.")
        standing = batch.cancellations.filter(state__in=["requested", "accepted"]).first()
        if standing:
            _record_press(standing, batch, now, actor=actor, address=address, reason=reason)
            return _pressed_again(standing, batch, now, claim=claim)
        cancellation = Cancellation.objects.create(
            batch=batch,
            batch_api_id=batch.api_id,
            workspace_name=workspace.name,
            requested_by=actor,
            requested_by_name=actor.get_username(),
            requested_from=address,
            reason=reason,
            requested_at=now,
            claim=new_claim("web") if claim else "",
            claimed_until=now + CLAIM if claim else None,
            stamped_at=now,
            **{f"{name}_at_request": getattr(batch, name) for name in COUNTS},
        )
        AuditEvent.record(
            AuditEvent.Action.CANCEL_REQUESTED,
            actor=actor,
            batch=batch,
            cancellation_id=cancellation.pk,
            address=address,
            reason=reason,
            at=now,
        )
        # If the batch is being canceled elsewhere, there is nothing to ask the API for.
        cancellation.settle(batch, now)
        batch.touch(latest_cancellation=cancellation)
    return cancellation


def _record_press(
    standing: Cancellation, batch: Batch, now: datetime, *, actor: Any, address: str, reason: str
) -> None:
    """Record who else wants it canceled, and why (ux.md 8); nothing that is recorded already."""
    given = AuditEvent.objects.filter(cancellation_id=standing.pk, actor_id=actor.pk)
    reasons = list(given.values_list("reason", flat=True))
    if reasons and (not reason or reason in reasons or len(reasons) >= MOST_RECORDED):
        return
    AuditEvent.record(
        AuditEvent.Action.CANCEL_REPEATED,
        actor=actor,
        batch=batch,
        cancellation_id=standing.pk,
        is_step=True,
        address=address,
        reason=reason,
        outcome=REPEATED,
        at=now,
    )


def _pressed_again(
    standing: Cancellation, batch: Batch, now: datetime, *, claim: bool
) -> Cancellation:
    """The one that stands; claimed for another attempt now, unless it is to wait or in hand."""
    standing.batch = batch
    standing.claim = ""
    if claim and standing.is_open:
        token, mine = Cancellation.objects.open().take([standing.pk], now, owner="web")
        standing.claim = token if mine else ""
    return standing


def attempt(cancellation: Cancellation, *, within: float = ATTEMPT_SECONDS) -> None:
    """Ask the API once for a claimed cancellation, in at most `within` seconds, and save the
    outcome, which the row then shows.

    Never raises what the API or the network did. Does nothing more once the claim is lost.
    """
    batch = cancellation.batch
    if batch is None or not cancellation.is_open:
        # Settled between being due and being claimed: there is nothing left to ask.
        cancellation.hand_back(clock.now())
        return
    ends_at = time.monotonic() + within
    try:
        _attempt(cancellation, batch, ends_at)
    except ClaimLost:
        # A round or another process has settled it meanwhile.
        cancellation.refresh_from_db(fields=["state", "accepted_at", "settled_at", "error"])


def _attempt(cancellation: Cancellation, batch: Batch, ends_at: float) -> None:
    workspace = batch.workspace
    try:
        client = connect.client_for(workspace)
    except connect.CannotCall as error:
        _not_confirmed(cancellation, batch, str(error))
        return
    try:
        remote = client.cancel(batch.api_id, within=ends_at - time.monotonic())
    except ApiError as error:
        _failed(cancellation, batch, error, ends_at)
        return
    if not shows_cancel(remote):
        # 200 and unchanged. The batch itself, retrieved, may show more.
        remote = _retrieved(workspace, batch.api_id, ends_at) or remote
    _store(cancellation, batch, remote, request_id=remote.request_id)


def _failed(cancellation: Cancellation, batch: Batch, error: ApiError, ends_at: float) -> None:
    """What an error of the cancel call means, which the batch itself may have to say."""
    if isinstance(error, KeyRefused):
        # A round finds out whether the key is refused altogether, or may only not cancel.
        Workspace.objects.filter(pk=batch.workspace_id).update(next_attempt_at=None)
        _not_confirmed(cancellation, batch, error)
    elif isinstance(error, BatchNotFound):
        _not_found(cancellation, batch, error)
    elif isinstance(error, ApiRefused):
        remote = _retrieved(batch.workspace, batch.api_id, ends_at)
        if remote is None:
            _not_confirmed(cancellation, batch, error)
        else:
            _store(cancellation, batch, remote, refusal=error, request_id=error.request_id)
    else:
        _not_confirmed(cancellation, batch, error)


def shows_cancel(remote: RemoteBatch) -> bool:
    """The API says that the batch is being canceled or has ended."""
    return remote.cancel_initiated_at is not None or remote.processing_status in {
        Batch.Status.CANCELING,
        Batch.Status.ENDED,
    }


def _retrieved(workspace: Workspace, api_id: str, ends_at: float) -> RemoteBatch | None:
    """The batch as it is now; None if that can't be learned, which proves nothing."""
    try:
        client = connect.client_for(workspace)
        return client.retrieve(api_id, within=max(0.1, ends_at - time.monotonic()))
    except (ApiError, connect.CannotCall):
        return None


def _store(
    cancellation: Cancellation,
    batch: Batch,
    remote: RemoteBatch,
    *,
    refusal: ApiRefused | None = None,
    request_id: str,
) -> None:
    """Save what the API said of the batch, and what that makes of the cancellation."""
    try:
        refuse_other_workspace(batch.workspace, remote.workspace_id)
    except OtherWorkspace as error:
        _not_confirmed(cancellation, batch, str(error))
        return
    now = clock.now()
    # A conflict passes: only the batch says whether it is being canceled already.
    answer = str(refusal) if refusal and refusal.status != 409 else ""
    with Revision.writing():
        # From here to the commit no other process can settle the cancellation.
        cancellation.keep(request_id=request_id)
        written = write_rows(batch.workspace, {remote.id: remote}, now=now)
        row = written.rows[batch.api_id]
        row.workspace = batch.workspace
        if cancellation.settle(row, now, refusal=answer) and not written.changed:
            row.touch()
    if cancellation.is_open:
        unchanged = "The API answered, but the batch is not being canceled yet."
        _not_confirmed(cancellation, batch, refusal or unchanged, request_id=request_id)
    else:
        log.info("cancel settled", batch=remote.id, state=cancellation.state)


def _not_found(cancellation: Cancellation, batch: Batch, error: BatchNotFound) -> None:
    now = clock.now()
    count = cancellation.not_found_count + 1
    since = cancellation.not_found_since
    if since is None or clock.is_future(since, now):
        since = now
    if count >= NOT_FOUND_COUNT and now - since >= NOT_FOUND_FOR:
        with Revision.writing():
            request_id = error.request_id or cancellation.request_id
            cancellation.keep(not_found_count=count, request_id=request_id)
            cancellation.settle(batch, now, refusal=str(error))
            batch.touch()
        return
    _not_confirmed(cancellation, batch, error, not_found_count=count, not_found_since=since)


def _not_confirmed(
    cancellation: Cancellation,
    batch: Batch,
    error: ApiError | str,
    *,
    request_id: str = "",
    **columns: Any,
) -> None:
    """Give the claim back and say when to try again."""
    now = clock.now()
    asked = error.retry_after if isinstance(error, TryLater) else None
    named = error.request_id if isinstance(error, ApiError) else request_id
    not_found = {"not_found_count": 0, "not_found_since": None} | columns
    with Revision.writing():
        wait = cancellation.put_off(
            now, str(error), request_id=named, at_least=asked or 0.0, **not_found
        )
        batch.touch()
    log.warning("cancel not confirmed", batch=batch.api_id, error=str(error), wait=wait)
