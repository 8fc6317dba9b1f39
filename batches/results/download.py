"""A batch's results for a download: the file itself, a part of it, or rows of a table."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple, cast

import structlog
from django.db.models import Count, F, Max, Min, Q

from batches import connect
from batches.client import ApiError
from batches.client.results import (
    ErrorEnvelope,
    Message,
    OddLine,
    Part,
    ResultLine,
    UnreadableResults,
    blocks_of,
    decode_line,
    decode_skimmed,
    is_blank,
    read_blocks,
)
from batches.client.skim import Skimmer, skimmed
from batches.models import Batch, FailedRequest
from batches.results.failures import ROWS, UNSUCCESSFUL, remedy_for
from batches.results.tally import LONGEST_MESSAGE, LONGEST_NAME, LONGEST_WORD, shortened

log = structlog.get_logger(__name__)

# A person waits for the first byte.
OPENING_SECONDS = 10.0
ROWS_AT_ONCE = 2000
# The outcome of a line that cannot be understood; the API has no such word.
UNREADABLE = "unreadable"
LONGEST_ID = 200
# How much of a very long line is kept in memory before it goes to a temporary file.
SPOOLED_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024


class BrokenOff(Exception):
    """The file is incomplete, so the download must not look complete."""


class ResultRow(NamedTuple):
    """One request as a row of a table; tokens as the API counts them, None without a message."""

    custom_id: str
    outcome: str
    error_type: str = ""
    error_message: str = ""
    request_id: str = ""
    model: str = ""
    stop_reason: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    cache_read_tokens: int | None = None
    web_searches: int | None = None


class RequestFilter(NamedTuple):
    """Selects requests by outcome, stop reason and kind; an empty filter selects all.

    `kind` is one of `failures.CHOICES`.
    """

    outcome: str = ""
    stop_reasons: tuple[str, ...] = ()
    kind: str = ""

    @property
    def is_all(self) -> bool:
        return not any(self)

    def matches(self, row: ResultRow) -> bool:
        has_outcome = not self.outcome or row.outcome == self.outcome
        has_stopped = not self.stop_reasons or row.stop_reason in self.stop_reasons
        return has_outcome and has_stopped and (not self.kind or self._is_of_kind(row))

    def _is_of_kind(self, row: ResultRow) -> bool:
        if row.outcome in {"succeeded", UNREADABLE}:
            return False
        return self.kind in {UNSUCCESSFUL, remedy_for(row.outcome, row.error_type)}


@contextmanager
def opened(batch: Batch) -> Iterator[Iterator[bytes]]:
    """The file in blocks of whole lines, as it arrives from the API, in constant memory.

    Opening takes OPENING_SECONDS at most and raises CannotCall or ApiError. Reading raises
    BrokenOff for a file that is cut off, ends in the middle of a line, or hasn't one line for each
    request. Leaving closes the connection at once, however much has been read.
    """
    client = connect.client_for(batch.workspace)
    with client.stream_results(batch.api_id, within=OPENING_SECONDS) as chunks:
        yield _whole(batch, chunks)


def _whole(batch: Batch, chunks: Iterator[bytes]) -> Iterator[bytes]:
    lines = 0
    long: Skimmer | None = None
    try:
        for block in blocks_of(chunks):
            if isinstance(block, Part):
                long = long or Skimmer()
                long.feed(block)
                if block.endswith(b"\n"):
                    lines, long = lines + 1, None
            else:
                lines += _lines_in(block)
            if lines > batch.total:
                raise BrokenOff(
                    f"The file has more lines than the batch has requests ({batch.total:,})."
                )
            yield block
    except (ApiError, UnreadableResults) as error:
        raise BrokenOff(str(error)) from error
    if long:
        _refuse_cut(long)
        lines += 1
    if lines < batch.total:
        raise BrokenOff(
            f"The file ended after {lines:,} lines; the batch has {batch.total:,} requests."
        )


def _lines_in(block: bytes) -> int:
    """How many lines a block has, not counting blank ones. Raises BrokenOff for a cut line."""
    *ended, last = block.split(b"\n")
    if not is_blank(last):
        _refuse_cut(skimmed(last))
    return sum(1 for line in (*ended, last) if not is_blank(line))


def _refuse_cut(last: Skimmer) -> None:
    if not last.is_whole:
        raise BrokenOff("The file ended in the middle of a line.")


def chosen_lines(blocks: Iterator[bytes], choice: RequestFilter) -> Iterator[bytes]:
    """The lines of the selected requests, byte for byte.

    Lines that cannot be understood are skipped. A line too long to hold in memory waits in a
    temporary file until it is complete. Raises BrokenOff where there is no room for that.
    """
    long: Skimmer | None = None
    with cast("IO[bytes]", SpooledTemporaryFile(max_size=SPOOLED_BYTES)) as spool:
        for block in blocks:
            if isinstance(block, Part):
                long = long or Skimmer()
                long.feed(block)
                _spool(spool, block)
                if block.endswith(b"\n"):
                    if choice.matches(_row(decode_skimmed(long))):
                        yield from _pieces(spool)
                    _empty(spool)
                    long = None
                continue
            # A BytesIO ends lines at a line feed alone, as the file does.
            kept = [line for line in BytesIO(block) if choice.matches(_row(decode_line(line)))]
            if kept:
                yield b"".join(kept)
        if long and choice.matches(_row(decode_skimmed(long))):
            yield from _pieces(spool)


def _spool(spool: IO[bytes], piece: bytes) -> None:
    try:
        spool.write(piece)
    except OSError as error:
        raise BrokenOff(
            "A long line can't be downloaded: there is no room for temporary files "
            f"({error.strerror or error})."
        ) from error


def _pieces(spool: IO[bytes]) -> Iterator[bytes]:
    spool.seek(0)
    while piece := spool.read(PIECE_BYTES):
        yield piece


def _empty(spool: IO[bytes]) -> None:
    spool.seek(0)
    spool.truncate()


def file_rows(blocks: Iterator[bytes]) -> Iterator[ResultRow]:
    """Every line as a row; an unknown outcome is UNREADABLE."""
    for lines in read_blocks(blocks):
        yield from map(_row, lines)


def chosen_rows(
    batch: Batch, blocks: Iterator[bytes], choice: RequestFilter
) -> Iterator[ResultRow]:
    """The rows of the selected requests. Logs how many lines were skipped as unreadable."""
    unreadable = 0
    for row in file_rows(blocks):
        if row.outcome == UNREADABLE:
            unreadable += 1
        elif choice.matches(row):
            yield row
    if unreadable:
        log.warning("unreadable lines skipped in a download", batch=batch.api_id, lines=unreadable)


def failed_rows(batch: Batch, choice: RequestFilter) -> Iterator[ResultRow]:
    """The rows of an outcome other than succeeded, or of a kind, from the database.

    Raises BrokenOff if the file is read again meanwhile. No query stays open between rows.
    """
    chosen = ROWS[choice.kind or UNSUCCESSFUL]
    if choice.outcome:
        chosen &= Q(outcome=choice.outcome)
    rows = FailedRequest.objects.filter(chosen, batch=batch)
    found = rows.aggregate(count=Count("pk"), first=Min("pk"), last=Max("pk"))
    left, after = found["count"], (found["first"] or 0) - 1
    # One batch's rows have adjacent primary keys, so a walk along those reads each row once.
    walked = FailedRequest.objects.alias(walked=F("batch_id") + 0).filter(
        chosen, walked=batch.pk, pk__lte=found["last"] or 0
    )
    while some := list(walked.filter(pk__gt=after).order_by("pk")[:ROWS_AT_ONCE]):
        for failed in some:
            yield ResultRow(
                *(failed.custom_id, failed.outcome, failed.error_type),
                *(failed.message, failed.request_id),
            )
        left, after = left - len(some), some[-1].pk
    if left:
        raise BrokenOff("The results were read again meanwhile.")


def _row(line: ResultLine | OddLine) -> ResultRow:
    if isinstance(line, OddLine):
        problem = f"This line cannot be understood: {line.problem}"
        outcome = shortened(line.outcome, LONGEST_WORD) or UNREADABLE
        return ResultRow(line.custom_id, outcome, error_message=problem)
    result = line.result
    if result.message and result.type == "succeeded":
        return _succeeded(line.custom_id, result.message)
    error = result.error or ErrorEnvelope()
    return ResultRow(
        line.custom_id,
        shortened(result.type, LONGEST_WORD),
        error_type=shortened(error.problem.type, LONGEST_NAME),
        error_message=shortened(error.problem.message, LONGEST_MESSAGE),
        request_id=shortened(error.request_id, LONGEST_ID),
    )


def _succeeded(custom_id: str, message: Message) -> ResultRow:
    usage, tools = message.usage, message.usage.server_tool_use
    minutes, hour = usage.cache_writes
    return ResultRow(
        custom_id,
        "succeeded",
        model=shortened(message.model, LONGEST_NAME),
        stop_reason=shortened(message.stop_reason, LONGEST_WORD),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_write_5m_tokens=minutes,
        cache_write_1h_tokens=hour,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        web_searches=(tools and tools.web_search_requests) or 0,
    )


def plain_id(custom_id: str) -> str:
    """An ID on one line: characters that aren't printable are escaped as in JSON.

    The API accepts only letters, digits, _ and -, so this is for unexpected files.
    """
    if custom_id.isprintable():
        return custom_id
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in custom_id)
