"""Results file → usage and failed requests: each ended batch's file is read once, as a stream."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from batches import connect
from batches.client import ApiError, BatchNotFound, TryLater, Unreachable
from batches.client.results import UnreadableResults, read_lines
from batches.models import Batch, BatchUsage, FailedRequest, Ingestion, Revision, Workspace
from batches.models.usage import READING_CLAIM
from batches.store import touch
from batches.tally import Tally

log = structlog.get_logger(__name__)

# With the client's STALL_SECONDS, each of the two within READING_CLAIM.
OPENING_SECONDS = 30.0
BEAT_SECONDS = 5.0
# A file of 100,000 long answers takes minutes; one that drips for longer never ends.
LONGEST_READING_SECONDS = 3600.0
MOST_ATTEMPTS = 5
FIRST_WAIT_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 300.0
# One that stayed unreadable is still looked at, until its results expire.
UNREADABLE_WAIT = timedelta(hours=6)
# More than this share of lines that can't be understood makes a file garbled. One line never does.
MOST_ODD = 0.01
# How many readings are handed to workers at once, each for a minute at most.
MOST_QUEUED = 20
QUEUED_FOR = timedelta(seconds=50)


class ClaimLost(Exception):
    """Somebody else reads this file now: what was counted here counts no more."""


def ingest(batch: Batch) -> bool:
    """Read the batch's results file and write what it adds up to, in place of what was there.

    True when figures were written. Never raises what the API, the network or the file did: the
    batch's `results_state` and its Ingestion tell. Does nothing when somebody else is reading,
    or when the batch has not ended.
    """
    if not batch.has_ended or batch.results_state == Batch.ResultsState.LOST:
        return False
    token = Ingestion.objects.claim(batch, timezone.now())
    if not token:
        return False
    try:
        with Tally(settings.BATCHBOARD_PRICE_TABLE.boundaries, batch.total) as tally:
            _read(batch, tally, _beating(batch, token))
            _write(batch, token, tally)
    except ClaimLost:
        log.warning("results claim lost", batch=batch.api_id)
    except UnreadableResults as error:
        _not_whole(batch, token, str(error))
    except BatchNotFound as error:
        _not_found(batch, token, error)
    except ApiError as error:
        asked = error.retry_after if isinstance(error, TryLater) else None
        _put_off(batch, token, str(error), request_id=error.request_id, seconds=asked)
    except connect.NoKey as error:
        _put_off(batch, token, str(error))
    else:
        log.info("results read", batch=batch.api_id, lines=tally.lines)
        return True
    return False


def _read(batch: Batch, tally: Tally, beat: Callable[[], None]) -> None:
    """Raises UnreadableResults for what is not the whole file, ApiError if none came at all."""
    with ExitStack() as stack:
        client = connect.client_for(batch.workspace)
        chunks = stack.enter_context(client.stream_results(batch.api_id, within=OPENING_SECONDS))
        try:
            for lines in read_lines(chunks):
                tally.add(lines)
                beat()
        except Unreachable as error:
            raise UnreadableResults(f"The file was cut off: {error}") from error
    _check(batch, tally)


def _check(batch: Batch, tally: Tally) -> None:
    """Raises UnreadableResults for a file that is short or garbled: half of one says nothing."""
    if tally.lines < batch.total:
        raise UnreadableResults(
            f"The file is short: {tally.lines:,} lines for {batch.total:,} requests."
        )
    is_garbled = tally.odd_lines > max(1, MOST_ODD * tally.lines)
    # Where nothing was understood, no figure may pass for one.
    if is_garbled or 0 < tally.lines == tally.odd_lines:
        raise UnreadableResults(
            f"The file is garbled: {tally.odd_lines:,} of {tally.lines:,} lines cannot be "
            f"understood, such as {tally.problem}."
        )


def _beating(batch: Batch, token: str) -> Callable[[], None]:
    """A function to call between blocks: now and then it says that this reader lives.

    Raises ClaimLost when another one has taken over, UnreadableResults when it takes too long.
    """
    began = last = time.monotonic()

    def beat() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < BEAT_SECONDS:
            return
        if now - began > LONGEST_READING_SECONDS:
            raise UnreadableResults("The file did not end within an hour.")
        last = now
        _keep(batch, token, claimed_until=timezone.now() + READING_CLAIM)

    return beat


def _keep(batch: Batch, token: str, **columns: Any) -> None:
    """Write to the ingestion as long as it is ours. Raises ClaimLost."""
    if not Ingestion.objects.holding(batch, token).update(**columns):
        raise ClaimLost


def _write(batch: Batch, token: str, tally: Tally) -> None:
    """Everything or nothing, in place of what an earlier reading wrote. Raises ClaimLost."""
    now = timezone.now()
    with Revision.writing():
        # Label and owner may have been changed while the file was read.
        fresh = Batch.objects.select_for_update().defer("raw").get(pk=batch.pk)
        _keep(
            batch,
            token,
            **GIVEN_BACK,
            attempts=0,
            error="",
            error_at=None,
            request_id="",
            next_attempt_at=None,
            ingested_at=now,
            lines=tally.lines,
            odd_lines=tally.odd_lines,
            problem=_problem(batch, tally),
            outcomes=tally.outcomes,
            stop_reasons=tally.stop_reasons,
        )
        BatchUsage.objects.filter(batch=batch).delete()
        BatchUsage.objects.bulk_create(usage_rows(fresh, tally))
        FailedRequest.objects.filter(batch=batch).delete()
        _insert_failed(batch, tally)
        touch(fresh, results_state=Batch.ResultsState.READ)


GIVEN_BACK: dict[str, Any] = {"claim": "", "claimed_until": None, "queued_at": None}


def usage_rows(batch: Batch, tally: Tally) -> Iterator[BatchUsage]:
    """What the tally counted as rows of the batch, with the batch's own columns beside."""
    own = {
        "batch": batch,
        "workspace_id": batch.workspace_id,
        "day": batch.created_at.astimezone(UTC).date(),
        "is_canceled": batch.is_canceled,
        "label": batch.label,
        "owner": batch.owner,
    }
    return (BatchUsage(**sums._asdict(), **own) for sums in tally.usage())


def _insert_failed(batch: Batch, tally: Tally) -> None:
    """In the database's own quickest way, as other writers wait until this is over.

    100,000 rows take a third of a second; with Django's bulk_create it is several seconds.
    """
    quote = connection.ops.quote_name
    columns = ("batch_id", "custom_id", "outcome", "error_type", "message", "request_id")
    table, names = quote(FailedRequest._meta.db_table), ", ".join(map(quote, columns))
    # A generator, so that memory stays the same; its type says a sequence.
    rows: Any = ((batch.pk, *failed) for failed in tally.failed())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            insert = f"INSERT INTO {table} ({names}) VALUES (%s, %s, %s, %s, %s, %s)"  # noqa: S608
            cursor.executemany(insert, rows)


def _problem(batch: Batch, tally: Tally) -> str:
    """What a person should know of a file that was whole all the same; empty if nothing."""
    sentences = []
    if tally.odd_lines:
        sentences.append(
            f"{tally.odd_lines:,} of {tally.lines:,} lines could not be understood, so what these "
            f"requests came to, and cost, is not known: {tally.problem}."
        )
    counted = {name: tally.outcomes.get(name, 0) for name in ("succeeded", "errored", "canceled")}
    differing = [
        f"{counted[name]:,} {name} where the batch says {getattr(batch, name):,}"
        for name in counted
        if counted[name] != getattr(batch, name)
    ]
    if differing and not tally.odd_lines:
        sentences.append(f"The file does not agree with the counts: {', '.join(differing)}.")
    return " ".join(sentences)


def _not_whole(batch: Batch, token: str, problem: str, *, request_id: str = "") -> None:
    """One more try that left nothing; after MOST_ATTEMPTS the batch says so."""
    attempts = Ingestion.objects.values_list("attempts", flat=True).get(pk=batch.pk) + 1
    if attempts < MOST_ATTEMPTS:
        seconds = FIRST_WAIT_SECONDS * 3 ** (attempts - 1)
        _put_off(batch, token, problem, request_id=request_id, seconds=seconds, attempts=attempts)
        return
    _settle(
        batch,
        token,
        Batch.ResultsState.UNREADABLE,
        error=problem,
        request_id=request_id,
        attempts=attempts,
        next_attempt_at=timezone.now() + UNREADABLE_WAIT,
    )
    log.warning("results unreadable", batch=batch.api_id, error=problem)


def _not_found(batch: Batch, token: str, error: BatchNotFound) -> None:
    """Right after the end it may only be late; past its 29 days it is gone for good."""
    if timezone.now() >= batch.results_expire_at:
        _settle(batch, token, Batch.ResultsState.LOST, error=str(error))
        return
    _not_whole(batch, token, str(error), request_id=error.request_id)


def _settle(batch: Batch, token: str, state: str, **columns: Any) -> None:
    with Revision.writing():
        _keep(batch, token, **GIVEN_BACK, error_at=timezone.now(), **columns)
        touch(batch, results_state=state)


def _put_off(
    batch: Batch,
    token: str,
    error: str,
    *,
    seconds: float | None = None,
    request_id: str = "",
    **columns: Any,
) -> None:
    """Give the claim back and say when to try again; what was read before stands."""
    now = timezone.now()
    # Where rounds fail as well, nothing here will fare better.
    usual = max(FIRST_WAIT_SECONDS, batch.workspace.back_off_seconds())
    wait = min(max(seconds or 0.0, usual), LONGEST_WAIT_SECONDS)
    Ingestion.objects.holding(batch, token).update(
        **GIVEN_BACK,
        error=error,
        error_at=now,
        request_id=request_id,
        next_attempt_at=now + timedelta(seconds=wait),
        **columns,
    )
    log.warning("results not read", batch=batch.api_id, error=error, wait=wait)


def unread() -> QuerySet[Batch]:
    """Ended batches whose results can still be read and have not been; oldest to expire first."""
    return Batch.objects.filter(
        results_state__in=[Batch.ResultsState.PENDING, Batch.ResultsState.UNREADABLE],
        processing_status=Batch.Status.ENDED,
        archived_at=None,
        deleted_upstream_at=None,
    ).order_by("created_at", "id")


def due_readings(now: datetime) -> list[int]:
    """Primary keys of batches to hand to workers now: the oldest first, MOST_QUEUED at once."""
    in_hand = Ingestion.objects.filter(queued_at__gte=now - QUEUED_FOR).count()
    free = Ingestion.objects.free(now).filter(
        Q(queued_at=None) | Q(queued_at__lt=now - QUEUED_FOR),
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=now),
    )
    due = unread().filter(Q(ingestion=None) | Q(ingestion__in=free), workspace__is_enabled=True)
    keys = list(due.values_list("pk", flat=True)[: max(0, MOST_QUEUED - in_hand)])
    if keys:
        Ingestion.objects.bulk_create(
            [Ingestion(batch_id=pk) for pk in keys], ignore_conflicts=True
        )
        Ingestion.objects.filter(pk__in=keys).update(queued_at=now)
    return keys


def note_lost() -> int:
    """Say of results that were never read and now never can be that they are lost; how many."""
    gone = Q(archived_at__isnull=False) | Q(deleted_upstream_at__isnull=False)
    unread_states = [Batch.ResultsState.PENDING, Batch.ResultsState.UNREADABLE]
    lost = Batch.objects.filter(gone, results_state__in=unread_states)
    if not lost.exists():
        return 0
    with Revision.writing():
        revision = Revision.take(1)
        owners = list(lost.values_list("workspace", flat=True).distinct())
        count = lost.update(results_state=Batch.ResultsState.LOST, revision=revision)
        Workspace.objects.filter(pk__in=owners).update(latest_revision=revision)
    log.warning("results lost", batches=count)
    return count
