"""Reads results files: once per ended batch, as a stream, into usage and failed requests."""

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
    Reading,
    Revision,
    Workspace,
)
from batches.models.batch import COST_DUE, RESULTS_KEPT
from batches.models.claim import due
from batches.outcome import REFUSED, UNFINISHED
from batches.results.tally import NoRoom, Tally
from batches.turn import Turn

log = structlog.get_logger(__name__)

OPENING_SECONDS = 30.0
# A file of 100,000 long answers takes minutes; one that takes longer never ends.
LONGEST_READING_SECONDS = 3600.0
# A file that arrives slower than this after a minute only keeps a reader busy.
SLOWEST_BYTES_A_SECOND = 1000.0
SLOW_AFTER_SECONDS = 60.0
MOST_ATTEMPTS = 5
FIRST_WAIT_SECONDS = 10.0
# An unreadable file is still tried again, until its results expire.
UNREADABLE_WAIT = 6 * 3600.0
# If more than this share of the lines is unreadable, the file is garbled. One line never does it.
MOST_ODD = 0.01
UNREAD = (Batch.ResultsState.PENDING, Batch.ResultsState.UNREADABLE)


class ReadingStopped(Exception):
    """The process is stopping. The file will be read again from its beginning."""


def read_results(reading: Reading, turn: Turn) -> bool:
    """Read the results file of a claimed row's batch and replace its figures.

    True when figures were written. Errors of the API, the network or the file are not raised: they
    are on the row and in the batch's `results_state`. Does nothing when nothing is left to read.
    Raises ClaimLost.
    """
    batch = reading.batch
    if not (unread() | outdated(clock.now())).filter(pk=batch.pk).exists():
        reading.hand_back(clock.now())
        return False
    try:
        client = connect.client_for(batch.workspace)
        boundaries = settings.BATCHBOARD_PRICE_TABLE.boundaries
        with Tally(boundaries, batch.total, redact=client.redacted) as tally:
            turn.let_go()
            _read(client, batch, tally, turn.is_stopping)
            _write(reading, batch, tally)
    except ReadingStopped:
        reading.hand_back(clock.now())
    except UnreadableResults as error:
        _not_whole(reading, str(error))
    except BatchNotFound as error:
        # Right after the end it may only be late.
        _not_whole(reading, str(error), request_id=error.request_id)
    except KeyRefused as error:
        # A round finds out whether the key is refused altogether.
        Workspace.objects.filter(pk=batch.workspace_id).update(next_attempt_at=None)
        _put_off(reading, str(error), request_id=error.request_id)
    except ApiError as error:
        asked = error.retry_after if isinstance(error, TryLater) else None
        _put_off(reading, str(error), request_id=error.request_id, at_least=asked or 0.0)
    except (connect.CannotCall, NoRoom) as error:
        _put_off(reading, str(error))
    else:
        log.info("results read", batch=batch.api_id, lines=tally.lines)
        return True
    return False


def _read(client: BatchClient, batch: Batch, tally: Tally, is_stopping: Callable[[], bool]) -> None:
    """Raises UnreadableResults for a file that is not whole, ApiError if none arrived."""
    with client.stream_results(batch.api_id, within=OPENING_SECONDS) as chunks:
        try:
            for lines in read_lines(_watched(chunks, is_stopping)):
                tally.add(lines)
        except Unreachable as error:
            raise UnreadableResults(f"The file was cut off: {error}") from error
    _check(batch, tally)


def _watched(chunks: Iterable[bytes], is_stopping: Callable[[], bool]) -> Iterator[bytes]:
    """The chunks, until they arrive too slowly or the process stops.

    Checked for every chunk rather than every line, as a line may never end. Raises
    UnreadableResults or ReadingStopped.
    """
    began = time.monotonic()
    size = 0
    for chunk in chunks:
        yield chunk
        size += len(chunk)
        taken = time.monotonic() - began
        if is_stopping():
            raise ReadingStopped
        if taken > LONGEST_READING_SECONDS:
            raise UnreadableResults("The file did not end within an hour.")
        if taken > SLOW_AFTER_SECONDS and size < SLOWEST_BYTES_A_SECOND * taken:
            raise UnreadableResults(
                f"The file arrives too slowly: {size:,} bytes in {taken:.0f} seconds."
            )


def _check(batch: Batch, tally: Tally) -> None:
    """Raises UnreadableResults for a file that is short or garbled."""
    if tally.lines < batch.total:
        raise UnreadableResults(
            f"The file is short: {tally.lines:,} lines for {batch.total:,} requests."
        )
    is_garbled = tally.odd_lines > max(1, MOST_ODD * tally.lines)
    if is_garbled or 0 < tally.lines == tally.odd_lines:
        raise UnreadableResults(
            f"The file is garbled: {tally.odd_lines:,} of {tally.lines:,} lines cannot be "
            f"understood, such as {tally.problem}."
        )


def _write(reading: Reading, batch: Batch, tally: Tally) -> None:
    """Replace what an earlier reading wrote, all or nothing. Raises ClaimLost."""
    now = clock.now()
    with Revision.writing():
        # Label and owner may have been changed while the file was read.
        fresh = Batch.objects.select_for_update().defer("raw").get(pk=batch.pk)
        reading.done(
            now,
            unreadable_attempts=0,
            read_at=now,
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
            cost_order=COST_DUE,
        )


def _stopped_by(tally: Tally, reasons: Collection[str]) -> int:
    return sum(count for reason, count in tally.stop_reasons.items() if reason in reasons)


def usage_rows(batch: Batch, tally: Tally) -> Iterator[BatchUsage]:
    """The tally's usage as rows, with the columns that they repeat of the batch."""
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
    """In the database's fastest way, as other writers wait until this is done.

    100,000 rows take a third of a second; with Django's bulk_create it is several seconds.
    """
    quote = connection.ops.quote_name
    columns = ("batch_id", "custom_id", "outcome", "error_type", "message", "request_id")
    table, names = quote(FailedRequest._meta.db_table), ", ".join(map(quote, columns))
    # A generator keeps memory constant, though the type says a sequence.
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
    """What people should know about a file that was whole all the same; may be empty."""
    sentences = []
    if tally.odd_lines:
        sentences.append(
            f"{tally.odd_lines:,} of {tally.lines:,} lines could not be read, so the outcome or "
            f"cost of these requests is not known: {tally.problem}."
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
            "file. Its outcome and cost are not known. The first of the two lines counts."
        )
    return (
        f"{count:,} lines repeat the custom_id of another line, such as {names}, so {count:,} "
        "requests are missing from the file. Their outcomes and cost are not known. Of lines with "
        "the same custom_id, the first counts."
    )


def _not_whole(reading: Reading, problem: str, *, request_id: str = "") -> None:
    """Count a failed attempt; after MOST_ATTEMPTS the batch is unreadable."""
    attempts = reading.unreadable_attempts + 1
    if attempts < MOST_ATTEMPTS:
        # The wait grows: right after a batch ends, its results may only be late.
        seconds = FIRST_WAIT_SECONDS * 3 ** (attempts - 1)
        details = {"request_id": request_id, "unreadable_attempts": attempts}
        _put_off(reading, problem, seconds=seconds, **details)
        return
    with Revision.writing():
        reading.put_off(
            clock.now(),
            problem,
            request_id=request_id,
            seconds=UNREADABLE_WAIT,
            unreadable_attempts=attempts,
        )
        if not reading.batch.has_figures:
            reading.batch.touch(results_state=Batch.ResultsState.UNREADABLE)
    log.warning("results unreadable", batch=reading.batch.api_id, error=problem)


def _put_off(reading: Reading, error: str, **details: Any) -> None:
    """Give the claim back and set the next attempt. What was read before stays."""
    wait = reading.put_off(clock.now(), error, **details)
    log.warning("results not read", batch=reading.batch.api_id, error=error, wait=wait)


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
    """The outdated batches whose results are due, the first to expire first."""
    return outdated(now).filter(Q(reading=None) | due(now, "reading__"))


def due_readings(now: datetime) -> QuerySet[Batch]:
    """The batches whose results are due, the first to expire first."""
    return unread().filter(Q(reading=None) | due(now, "reading__"))


def mark_lost(now: datetime) -> int:
    """Set `results_state` by what Anthropic still has. Returns how many rows changed.

    Unread results are lost once Anthropic has deleted them: 29 days after the batch was created,
    or with the batch. A batch that is listed again was not deleted, so its results can be read.
    """
    expired = Q(created_at__lte=now - RESULTS_KEPT)
    # A missing batch may still run, unless its 24 hours are over.
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
