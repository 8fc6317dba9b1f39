"""Cancels a batch. The cancellation is saved before the API is called, so it survives a crash.

The functions stand in the order in which a press reaches them. What an answer means for a
cancellation is decided in `Cancellation.settle`.
"""

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
    BatchClient,
    BatchNotFound,
    KeyRefused,
    RemoteBatch,
    TryLater,
)
from batches.mirror.store import OtherWorkspace, refuse_other_workspace, write_rows
from batches.models import AuditEvent, Batch, Cancellation, ClaimLost, Revision, Workspace
from batches.models.batch import COUNTS
from batches.models.cancellation import NO_LONGER_THERE
from batches.models.claim import CLAIM, new_claim

log = structlog.get_logger(__name__)

# The page shows what is known within three seconds of a press: after this time the worker goes on,
# and the rest is for the database and the way back.
PRESS_SECONDS = 2.5
# At most this many presses wait for the API in one process; its other threads serve pages.
MOST_PRESSES = 4
# No person waits for the worker's attempts.
ATTEMPT_SECONDS = 10.0
# A single 404 can be a passing fault. So many in a row, over so long a time, are believed.
NOT_FOUND_COUNT = 3
NOT_FOUND_FOR = timedelta(minutes=3)
# At most this many presses of one person are recorded for one cancellation.
MOST_RECORDED = 20
REPEATED = "A cancellation was already requested."
# The columns that decide whether a batch can be canceled, or that its receipt repeats.
REQUESTED = (
    *("api_id", "workspace", "processing_status", "outcome", *COUNTS),
    *("cancel_initiated_at", "deleted_upstream_at"),
)

_presses = threading.BoundedSemaphore(MOST_PRESSES)


class AlreadyEnded(Exception):
    """There is nothing left to cancel. `str(error)` can be shown to people."""


def cancel_batch(batch: Batch, *, actor: Any, address: str, reason: str) -> Cancellation:
    """Save the cancellation, then call the API once; takes at most PRESS_SECONDS.

    The state of the result says what is known: accepted, refused, overtaken, or still requested,
    in which case a worker goes on. The worker also makes the first call when MOST_PRESSES others
    of this process are waiting for the API. Raises AlreadyEnded.
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


def request(
    batch: Batch, *, actor: Any, address: str, reason: str, claim: bool = False
) -> Cancellation:
    """Commit a new cancellation, or return the current one: two presses are one cancellation.

    With `claim`, the caller may attempt the cancellation if it comes back with a claim. Raises
    AlreadyEnded when the batch has ended or was deleted upstream.
    """
    now = clock.now()
    with Revision.writing():
        workspace = batch.workspace
        batch = Batch.objects.select_for_update().only(*REQUESTED).get(pk=batch.pk)
        batch.workspace = workspace
        if batch.has_ended:
            raise AlreadyEnded(f"It had already ended: {batch.outcome_sentence}.")
        if batch.deleted_upstream_at:
            raise AlreadyEnded(NO_LONGER_THERE)
        current = batch.cancellations.standing().first()
        if current:
            _repeat(current, batch, now, actor=actor, address=address, reason=reason)
            current.claim = _claim_again(current, now) if claim else ""
            return current
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
        # If the batch is already being canceled elsewhere, there is nothing to ask the API for.
        cancellation.settle(batch, now)
        batch.touch(latest_cancellation=cancellation)
    return cancellation


def _repeat(
    current: Cancellation, batch: Batch, now: datetime, *, actor: Any, address: str, reason: str
) -> None:
    """Record who else wants the batch canceled, and why, unless that is recorded already."""
    current.batch, current.repeated_at = batch, now
    recorded = AuditEvent.objects.filter(cancellation_id=current.pk, actor_id=actor.pk)
    reasons = list(recorded.values_list("reason", flat=True))
    current.is_reason_kept = bool(reason) and reason in reasons
    if reasons and (not reason or reason in reasons or len(reasons) >= MOST_RECORDED):
        return
    AuditEvent.record(
        AuditEvent.Action.CANCEL_REPEATED,
        actor=actor,
        batch=batch,
        cancellation_id=current.pk,
        is_step=True,
        address=address,
        reason=reason,
        outcome=REPEATED,
        at=now,
    )
    current.is_reason_kept = bool(reason)
    # The receipt names this person, too.
    batch.touch()


def _claim_again(current: Cancellation, now: datetime) -> str:
    """A claim for another attempt; empty if the cancellation is not due."""
    if not current.is_open:
        return ""
    claim, taken = Cancellation.objects.open().take([current.pk], now, owner="web")
    return claim if taken else ""


def _attempt_once(cancellation: Cancellation) -> None:
    try:
        attempt(cancellation, within=PRESS_SECONDS)
    except (OperationalError, InterfaceError) as error:
        # The request is saved, the attempt is not: a worker goes on once the claim has lapsed.
        cancellation.state = Cancellation.State.REQUESTED
        log.warning("database failed", batch=cancellation.batch_api_id, error=str(error))


def attempt(cancellation: Cancellation, *, within: float = ATTEMPT_SECONDS) -> None:
    """Ask the API to cancel, once and in at most `within` seconds, and save the outcome.

    The cancellation must be claimed, and shows the outcome afterwards. Errors of the API or the
    network are saved, not raised. Nothing more is written once the claim is lost.
    """
    batch = cancellation.batch
    if batch is None or not cancellation.is_open:
        # It was settled before it was claimed: there is nothing left to ask.
        cancellation.hand_back(clock.now())
        return
    ends_at = time.monotonic() + within
    try:
        _attempt(cancellation, batch, ends_at)
    except ClaimLost:
        # A round or another process has settled it.
        cancellation.refresh_from_db(fields=["state", "accepted_at", "settled_at", "error"])


def _attempt(cancellation: Cancellation, batch: Batch, ends_at: float) -> None:
    try:
        client = connect.client_for(batch.workspace)
    except connect.CannotCall as error:
        _not_confirmed(cancellation, batch, str(error))
        return
    try:
        remote = client.cancel(batch.api_id, within=ends_at - time.monotonic())
    except ApiError as error:
        _failed(cancellation, batch, error, client, ends_at)
        return
    if not _shows_success(remote):
        # Status 200, but no sign of the cancel. The batch itself may show more.
        remote = _retrieved(client, batch.api_id, ends_at) or remote
    _save_answer(cancellation, batch, remote, request_id=remote.request_id)


def _failed(
    cancellation: Cancellation, batch: Batch, error: ApiError, client: BatchClient, ends_at: float
) -> None:
    """Act on an error of the cancel call. Of a refusal, the batch itself says what it means."""
    if isinstance(error, BatchNotFound):
        _not_found(cancellation, batch, error)
        return
    if isinstance(error, KeyRefused):
        # The next round finds out whether the key is refused for everything or only for cancels.
        Workspace.objects.filter(pk=batch.workspace_id).update(next_attempt_at=None)
    elif isinstance(error, ApiRefused) and (remote := _retrieved(client, batch.api_id, ends_at)):
        _save_answer(cancellation, batch, remote, refusal=error, request_id=error.request_id)
        return
    _not_confirmed(cancellation, batch, error)


def _shows_success(remote: RemoteBatch) -> bool:
    """Whether the API says that the batch is being canceled or has ended."""
    return remote.cancel_initiated_at is not None or remote.processing_status in {
        Batch.Status.CANCELING,
        Batch.Status.ENDED,
    }


def _retrieved(client: BatchClient, api_id: str, ends_at: float) -> RemoteBatch | None:
    """The batch as it is now; None if that can't be learned."""
    try:
        return client.retrieve(api_id, within=max(0.1, ends_at - time.monotonic()))
    except ApiError:
        return None


def _save_answer(
    cancellation: Cancellation,
    batch: Batch,
    remote: RemoteBatch,
    *,
    refusal: ApiRefused | None = None,
    request_id: str,
) -> None:
    """Save the batch as the API returned it, and settle the cancellation if that decides it."""
    try:
        refuse_other_workspace(batch.workspace, remote.workspace_id)
    except OtherWorkspace as error:
        _not_confirmed(cancellation, batch, str(error))
        return
    now = clock.now()
    # A conflict may pass. Whether the batch is already being canceled, only the batch says.
    final_refusal = str(refusal) if refusal and refusal.status != 409 else ""
    with Revision.writing():
        # From here to the commit no other process can settle the cancellation.
        cancellation.keep(request_id=request_id)
        written = write_rows(batch.workspace, {remote.id: remote}, now=now)
        row = written.rows[batch.api_id]
        row.workspace = batch.workspace
        if cancellation.settle(row, now, refusal=final_refusal) and not written.changed:
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
    """Give the claim back, to try again later."""
    now = clock.now()
    retry_after = error.retry_after if isinstance(error, TryLater) else None
    if isinstance(error, ApiError):
        request_id = error.request_id
    not_found = {"not_found_count": 0, "not_found_since": None} | columns
    with Revision.writing():
        wait = cancellation.put_off(
            now, str(error), request_id=request_id, at_least=retry_after or 0.0, **not_found
        )
        batch.touch()
    log.warning("cancel not confirmed", batch=batch.api_id, error=str(error), wait=wait)
