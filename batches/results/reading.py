"""Results file → usage and failed requests: each ended batch's file is read once, as a stream."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet

from batches import clock, connect
from batches.client import ApiError, BatchClient, BatchNotFound, KeyRefused, TryLater, Unreachable
from batches.client.results import UnreadableResults, read_lines
from batches.models import (
    Batch,
    BatchQuerySet,
    BatchUsage,
    FailedRequest,
    Ingestion,
    Revision,
    Workspace,
)
from batches.models.batch import RESULTS_KEPT
from batches.models.claim import due
from batches.outcome import REFUSED, UNFINISHED
from batches.results.tally import NoRoom, Tally
from batches.turn import Turn

log = structlog.get_logger(__name__)

OPENING_SECONDS = 30.0
# A file of 100,000 long answers takes minutes; one that takes longer never ends.
LONGEST_READING_SECONDS = 3600.0
# A file that brings less than this a second, once it has had a minute, only keeps a reader busy.
SLOWEST_BYTES_A_SECOND = 1000.0
SLOW_AFTER_SECONDS = 60.0
MOST_ATTEMPTS = 5
FIRST_WAIT_SECONDS = 10.0
# One that stayed unreadable is still looked at, until its results expire.
UNREADABLE_WAIT = 6 * 3600.0
# More than this share of lines that can't be understood makes a file garbled. One line never does.
MOST_ODD = 0.01
UNREAD = (Batch.ResultsState.PENDING, Batch.ResultsState.UNREADABLE)


class Stopped(Exception):
    """The process was told to end; the file is read anew from its beginning."""


def read_results(ingestion: Ingestion, turn: Turn) -> bool:
    """Read the results file of a claimed row's batch, and write what it adds up to, in place of
    what was there.

    True when figures were written. Never raises what the API, the network or the file did: the
    batch's `results_state` and the row tell. Does nothing when there is nothing left to read.
    Raises ClaimLost.
    """
    batch = ingestion.batch
    if not (unread() | outdated(clock.now())).filter(pk=batch.pk).exists():
        ingestion.hand_back(clock.now())
        return False
    try:
        client = connect.client_for(batch.workspace)
        boundaries = settings.BATCHBOARD_PRICE_TABLE.boundaries
        with Tally(boundaries, batch.total, redact=client.redacted) as tally:
            turn.let_go()
            _read(client, batch, tally, turn.is_stopping)
            _write(ingestion, batch, tally)
    except Stopped:
        ingestion.hand_back(clock.now())
    except UnreadableResults as error:
        _not_whole(ingestion, str(error))
    except BatchNotFound as error:
        # Right after the end it may only be late.
        _not_whole(ingestion, str(error), request_id=error.request_id)
    except KeyRefused as error:
        # A round finds out whether the key is refused altogether.
        Workspace.objects.filter(pk=batch.workspace_id).update(next_attempt_at=None)
        _put_off(ingestion, str(error), request_id=error.request_id)
    except ApiError as error:
        asked = error.retry_after if isinstance(error, TryLater) else None
        _put_off(ingestion, str(error), request_id=error.request_id, at_least=asked or 0.0)
    except (connect.CannotCall, NoRoom) as error:
        _put_off(ingestion, str(error))
    else:
        log.info("results read", batch=batch.api_id, lines=tally.lines)
        return True
    return False


def _read(client: BatchClient, batch: Batch, tally: Tally, is_stopping: Callable[[], bool]) -> None:
    """Raises UnreadableResults for what is not the whole file, ApiError if none came at all."""
    with client.stream_results(batch.api_id, within=OPENING_SECONDS) as chunks:
        try:
            for lines in read_lines(_watched(chunks, is_stopping)):
                tally.add(lines)
        except Unreachable as error:
            raise UnreadableResults(f"The file was cut off: {error}") from error
    _check(batch, tally)


def _watched(chunks: Iterable[bytes], is_stopping: Callable[[], bool]) -> Iterator[bytes]:
    """The chunks, for as long as they come at a speed that makes sense.

    Looked at with every chunk rather than every line, as a line may never end. Raises
    UnreadableResults or Stopped.
    """
    began = time.monotonic()
    size = 0
    for chunk in chunks:
        yield chunk
        size += len(chunk)
        taken = time.monotonic() - began
        if is_stopping():
            raise Stopped
        if taken > LONGEST_READING_SECONDS:
            raise UnreadableResults("The file did not end within an hour.")
        if taken > SLOW_AFTER_SECONDS and size < SLOWEST_BYTES_A_SECOND * taken:
            raise UnreadableResults(
                f"The file comes too slowly: {size:,} bytes in {taken:.0f} seconds."
            )


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


def _write(ingestion: Ingestion, batch: Batch, tally: Tally) -> None:
    """Everything or nothing, in place of what an earlier reading wrote. Raises ClaimLost."""
    now = clock.now()
    with Revision.writing():
        # Label and owner may have been changed while the file was read.
        fresh = Batch.objects.select_for_update().defer("raw").get(pk=batch.pk)
        ingestion.done(
            now,
            unreadable_attempts=0,
            ingested_at=now,
            lines=tally.lines,
            odd_lines=tally.odd_lines,
            repeated_lines=tally.repeated_lines,
            problem=_problem(batch, tally),
            outcomes=tally.outcomes,
            stop_reasons=tally.stop_reasons,
        )
        BatchUsage.objects.filter(batch=batch).delete()
        BatchUsage.objects.bulk_create(usage_rows(fresh, tally))
        FailedRequest.objects.filter(batch=batch).delete()
        _insert_failed(batch, tally)
        fresh.touch(
            results_state=Batch.ResultsState.READ,
            unknown_lines=tally.odd_lines + tally.repeated_lines,
            unfinished=_stopped_by(tally, UNFINISHED),
            refused=_stopped_by(tally, REFUSED),
        )


def _stopped_by(tally: Tally, reasons: Collection[str]) -> int:
    return sum(count for reason, count in tally.stop_reasons.items() if reason in reasons)


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
    if tally.repeated_lines:
        sentences.append(_repeated(tally))
    counted = {name: tally.outcomes.get(name, 0) for name in ("succeeded", "errored", "canceled")}
    differing = [
        f"{counted[name]:,} {name} where the batch says {getattr(batch, name):,}"
        for name in counted
        if counted[name] != getattr(batch, name)
    ]
    if differing and not tally.odd_lines and not tally.repeated_lines:
        sentences.append(f"The file does not agree with the counts: {', '.join(differing)}.")
    return " ".join(sentences)


def _repeated(tally: Tally) -> str:
    count, names = tally.repeated_lines, ", ".join(f"“{each}”" for each in tally.repeated_ids)
    if count == 1:
        return (
            f"A second line has the custom_id {names}, so another request is missing from the "
            "file: what it came to, and cost, is not known. The first of the two lines counts."
        )
    return (
        f"{count:,} lines repeat the custom_id of another line, such as {names}, so {count:,} "
        "requests are missing from the file: what they came to, and cost, is not known. Of lines "
        "with the same custom_id the first counts."
    )


def _not_whole(ingestion: Ingestion, problem: str, *, request_id: str = "") -> None:
    """One more attempt that left nothing; after MOST_ATTEMPTS the batch says so."""
    attempts = ingestion.unreadable_attempts + 1
    if attempts < MOST_ATTEMPTS:
        # Longer each time: right after the end of a batch its results may only be late.
        seconds = FIRST_WAIT_SECONDS * 3 ** (attempts - 1)
        details = {"request_id": request_id, "unreadable_attempts": attempts}
        _put_off(ingestion, problem, seconds=seconds, **details)
        return
    with Revision.writing():
        ingestion.put_off(
            clock.now(),
            problem,
            request_id=request_id,
            seconds=UNREADABLE_WAIT,
            unreadable_attempts=attempts,
        )
        if not ingestion.batch.has_figures:
            ingestion.batch.touch(results_state=Batch.ResultsState.UNREADABLE)
    log.warning("results unreadable", batch=ingestion.batch.api_id, error=problem)


def _put_off(ingestion: Ingestion, error: str, **details: Any) -> None:
    """Give the claim back and say when to try again; what was read before stands."""
    wait = ingestion.put_off(clock.now(), error, **details)
    log.warning("results not read", batch=ingestion.batch.api_id, error=error, wait=wait)


def unread() -> BatchQuerySet:
    """Ended batches whose results can still be read and have not been; oldest to expire first."""
    return Batch.objects.filter(
        results_state__in=UNREAD,
        processing_status=Batch.Status.ENDED,
        archived_at=None,
        deleted_upstream_at=None,
    ).order_by("created_at", "id")


def outdated(now: datetime) -> BatchQuerySet:
    """Batches read by an older version whose results can be read again; oldest first."""
    return Batch.objects.filter(
        results_state=Batch.ResultsState.OUTDATED,
        created_at__gt=now - RESULTS_KEPT,
        archived_at=None,
        deleted_upstream_at=None,
    ).order_by("created_at", "id")


def due_rereadings(now: datetime) -> QuerySet[Batch]:
    """The outdated batches whose results are to be read now, the first to expire first."""
    return outdated(now).filter(Q(ingestion=None) | due(now, "ingestion__"))


def due_readings(now: datetime) -> QuerySet[Batch]:
    """The batches whose results are to be read now, the first to expire first."""
    return unread().filter(Q(ingestion=None) | due(now, "ingestion__"))


def derive_lost(now: datetime) -> int:
    """Bring `results_state` in line with what the API still has; how many rows changed.

    Results that were not read are lost once the API has thrown them away: RESULTS_KEPT after the
    batch's creation, or with the batch. A batch that is listed again was never gone, so its
    results can be read after all.
    """
    expired = Q(created_at__lte=now - RESULTS_KEPT)
    # One that is missing may still run, unless it is past its 24 hours.
    over = Q(processing_status=Batch.Status.ENDED) | Q(expires_at__lt=now)
    is_gone = Q(archived_at__isnull=False) | Q(deleted_upstream_at__isnull=False) | expired
    lost = Batch.objects.filter(over & is_gone, results_state__in=UNREAD)
    kept = Batch.objects.filter(
        results_state=Batch.ResultsState.LOST,
        archived_at=None,
        deleted_upstream_at=None,
        created_at__gt=now - RESULTS_KEPT,
    )
    count = _set_state(lost, Batch.ResultsState.LOST)
    if count:
        log.warning("results lost", batches=count)
    return count + _set_state(kept, Batch.ResultsState.PENDING)


def _set_state(rows: QuerySet[Batch], state: str) -> int:
    if not rows.exists():
        return 0
    with Revision.writing():
        revision = Revision.take(1)
        owners = list(rows.values_list("workspace", flat=True).distinct())
        count = rows.update(results_state=state, revision=revision)
        Workspace.objects.filter(pk__in=owners).update(latest_revision=revision)
    return count
