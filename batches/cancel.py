"""Wish → API → row. The wish is stored first, and outlives every process that tries it."""

import random
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db.models import Q
from django.utils import timezone

from batches import connect
from batches.client import ApiError, ApiRefused, BatchNotFound, RemoteBatch, TryLater, Unreachable
from batches.models import AuditEvent, Batch, Cancellation, Revision
from batches.models.batch import COUNTS
from batches.models.cancellation import CLAIM
from batches.store import store, touch

log = structlog.get_logger(__name__)

# A person is waiting for the answer; after this the worker goes on (the page says so).
ATTEMPT_SECONDS = 10.0
LONGEST_BACK_OFF_SECONDS = 300.0
# One 404 proves nothing (api.md): this many, over this long, do.
NOT_FOUND_COUNT = 3
NOT_FOUND_FOR = timedelta(minutes=3)


# What decides whether a batch can be canceled, and what its receipt begins with.
ASKED = (
    *("api_id", "workspace", "processing_status", "outcome", *COUNTS),
    *("cancel_initiated_at", "deleted_upstream_at"),
)


class AlreadyEnded(Exception):
    """There is nothing left to cancel. Fit to show a person."""


def cancel_batch(batch: Batch, *, actor: Any, address: str, reason: str) -> Cancellation:
    """Store the wish, then ask the API once, at once; at most ATTEMPT_SECONDS.

    The state that is returned says what is known: accepted, refused, overtaken, or still
    requested, in which case the worker keeps trying. Raises AlreadyEnded.
    """
    wish = request(batch, actor=actor, address=address, reason=reason, claim=True)
    if wish.is_open and wish.is_mine:
        return _ask(wish, within=ATTEMPT_SECONDS)
    # One that stands already keeps the pause that the API asked for, however often it is pressed.
    is_due = wish.next_attempt_at is None or wish.next_attempt_at <= timezone.now()
    return attempt(wish, within=ATTEMPT_SECONDS) if wish.is_open and is_due else wish


def request(
    batch: Batch, *, actor: Any, address: str, reason: str, claim: bool = False
) -> Cancellation:
    """Commit the wish, or find the one that already stands: two presses are one cancellation.

    With `claim` a new wish is the caller's to try, as after `objects.claim`. Raises
    AlreadyEnded when the batch has ended or is gone upstream.
    """
    now = timezone.now()
    with Revision.writing():
        workspace = batch.workspace
        batch = Batch.objects.select_for_update().only(*ASKED).get(pk=batch.pk)
        batch.workspace = workspace
        if batch.has_ended:
            raise AlreadyEnded(f"It had already ended: {batch.outcome_sentence}.")
        if batch.deleted_upstream_at:
            raise AlreadyEnded("The API no longer has this batch.")
        standing = batch.cancellations.filter(state__in=["requested", "accepted"]).first()
        if standing:
            return standing
        wish = Cancellation.objects.create(
            batch=batch,
            requested_by=actor,
            requested_by_name=actor.get_username(),
            requested_from=address,
            reason=reason,
            requested_at=now,
            claimed_until=now + CLAIM if claim else None,
            **{f"{name}_at_request": getattr(batch, name) for name in COUNTS},
        )
        wish.is_mine = claim
        AuditEvent.record(
            "cancel requested", actor=actor, batch=batch, address=address, reason=reason, at=now
        )
        if batch.is_canceling:
            # Somebody did it elsewhere: the wish is granted, and nothing needs asking.
            wish.accept(batch.cancel_initiated_at or now)
        touch(batch, latest_cancellation=wish)
    return wish


def attempt(cancellation: Cancellation, *, within: float = ATTEMPT_SECONDS) -> Cancellation:
    """Ask the API once for an open cancellation, in at most `within` seconds, and store its word.

    Does nothing when somebody else is asking, or when it is no longer open. Never raises what
    the API or the network did: the returned row tells.
    """
    if not Cancellation.objects.claim(cancellation.pk, timezone.now()):
        return _fresh(cancellation)
    return _ask(_fresh(cancellation), within=within)


def _ask(cancellation: Cancellation, *, within: float) -> Cancellation:
    """The one call, by whoever holds the claim."""
    workspace = cancellation.batch.workspace
    deadline = time.monotonic() + within
    try:
        client = connect.client_for(workspace)
        remote = client.cancel(cancellation.batch.api_id, within=within)
    except connect.NoKey as error:
        _put_off(cancellation, str(error))
    except (TryLater, Unreachable, BatchNotFound) as error:
        _not_confirmed(cancellation, error)
    except ApiRefused as error:
        # A second of grace: without the batch itself the refusal could not be understood.
        _refused(cancellation, error, within=max(1.0, deadline - time.monotonic()))
    else:
        return _accepted(cancellation, remote)
    return _fresh(cancellation)


def _fresh(cancellation: Cancellation) -> Cancellation:
    return Cancellation.objects.select_related("batch__workspace").get(pk=cancellation.pk)


def _accepted(cancellation: Cancellation, remote: RemoteBatch) -> Cancellation:
    now = timezone.now()
    with Revision.writing():
        # Before storing, which settles what it changes, and writes it into the audit.
        Cancellation.objects.filter(pk=cancellation.pk).update(request_id=remote.request_id)
        is_news = store(cancellation.batch.workspace, [remote], now=now).has_news
        cancellation.refresh_from_db(
            fields=["state", "accepted_at", "settled_at", "request_id", "error"]
        )
        if cancellation.is_open:
            # A row that showed the same before, or an answer of 200 that doesn't say when the
            # cancellation began.
            cancellation = _locked(cancellation)
            cancellation.settle(cancellation.batch, now)
        if cancellation.is_open:
            cancellation.accept(now)
        if not is_news:
            touch(cancellation.batch)
    log.info("cancel accepted", batch=remote.id, request_id=remote.request_id)
    return cancellation


def _locked(cancellation: Cancellation) -> Cancellation:
    return (
        Cancellation.objects.select_for_update(of=("self",))
        .select_related("batch__workspace")
        .get(pk=cancellation.pk)
    )


def _refused(cancellation: Cancellation, error: ApiRefused, *, within: float) -> None:
    """A refusal may only mean that it was too late, or done before: the batch itself tells."""
    workspace, api_id = cancellation.batch.workspace, cancellation.batch.api_id
    try:
        remote = connect.client_for(workspace).retrieve(api_id, within=within)
    except (ApiError, connect.NoKey):
        remote = None
    now = timezone.now()
    with Revision.writing():
        if remote:
            store(workspace, [remote], now=now)
        cancellation = _locked(cancellation)
        if not cancellation.is_open:
            return
        if remote and (remote.cancel_initiated_at or remote.processing_status == "ended"):
            cancellation.settle(cancellation.batch, now)
        else:
            cancellation.refuse(now, error=str(error), request_id=error.request_id)
        touch(cancellation.batch)
    log.warning("cancel refused", batch=api_id, status=error.status, request_id=error.request_id)


def _not_confirmed(cancellation: Cancellation, error: ApiError) -> None:
    now = timezone.now()
    if isinstance(error, BatchNotFound):
        cancellation.not_found_count += 1
        cancellation.not_found_since = cancellation.not_found_since or now
        if (
            cancellation.not_found_count >= NOT_FOUND_COUNT
            and now - cancellation.not_found_since >= NOT_FOUND_FOR
        ):
            with Revision.writing():
                cancellation = _locked(cancellation)
                if cancellation.is_open:
                    cancellation.refuse(now, error=str(error), request_id=error.request_id)
                    touch(cancellation.batch)
            return
    asked = error.retry_after if isinstance(error, TryLater) else None
    _put_off(cancellation, str(error), seconds=asked, request_id=error.request_id)


def _put_off(
    cancellation: Cancellation, error: str, *, seconds: float | None = None, request_id: str = ""
) -> None:
    """Give the claim back and say when to try again: what the API asked for, else doubling."""
    now = timezone.now()
    attempts = cancellation.attempts + 1
    doubled = min(2.0 * 2 ** min(attempts, 10), LONGEST_BACK_OFF_SECONDS) * random.uniform(0.5, 1)
    wait = min(max(seconds or 0.0, doubled), LONGEST_BACK_OFF_SECONDS)
    with Revision.writing():
        still_open = (
            Cancellation.objects.open()
            .filter(pk=cancellation.pk)
            .update(
                attempts=attempts,
                error=error,
                request_id=request_id,
                claimed_until=None,
                queued_at=None,
                next_attempt_at=now + timedelta(seconds=wait),
                not_found_count=cancellation.not_found_count,
                not_found_since=cancellation.not_found_since,
            )
        )
        if still_open:
            touch(cancellation.batch)
    log.warning("cancel not confirmed", batch=cancellation.batch.api_id, error=error, wait=wait)


def due_cancellations(now: datetime) -> list[int]:
    """Primary keys of wishes to hand to the worker, each handed out at most once a minute."""
    unqueued = Q(queued_at=None) | Q(queued_at__lt=now - timedelta(minutes=1))
    keys = list(Cancellation.objects.due(now).filter(unqueued).values_list("pk", flat=True)[:1000])
    if keys:
        Cancellation.objects.filter(pk__in=keys).update(queued_at=now)
    return keys
