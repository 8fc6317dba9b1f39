"""One batch's results, passed on from the API or written from what was read of them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import batched, chain
from typing import NamedTuple

import structlog
from django import forms
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from batches import clock, connect
from batches.client import ApiError, BatchNotFound, TryLater
from batches.models import Batch, Ingestion
from batches.outcome import STOP_REASONS
from batches.results import download
from batches.results.download import BrokenOff, Choice, Row
from dashboard.access import allow, visible_batch_or_404
from dashboard.csv_cells import LINES_AT_ONCE, csv_blocks
from dashboard.errors import page
from dashboard.exports import CONTENT_TYPE
from dashboard.recording import record_download
from dashboard.streams import streamed

log = structlog.get_logger(__name__)

FORMATS = {
    "jsonl": ("application/x-jsonl", "jsonl"),
    "csv": (CONTENT_TYPE, "csv"),
    "ids": ("text/plain; charset=utf-8", "txt"),
}
HEADER = (
    "custom_id", "outcome", "error_type", "error_message", "request_id", "model", "stop_reason",
    "input (tokens)", "output (tokens)", "cache write 5 min (tokens)", "cache write 1 h (tokens)",
    "cache read (tokens)", "web searches",
)  # fmt: skip
# Each may be asked for of any batch, whether or not it has any.
OUTCOMES = ("succeeded", "errored", "canceled", "expired")
type BeginDownload = Callable[[HttpRequest, Batch, Wanted, ExitStack], Iterator[bytes]]


class DownloadForm(forms.Form):
    """Any word may be asked for that the API could use as a type of result."""

    outcome = forms.CharField(
        required=False, max_length=60, validators=[RegexValidator(r"\A[a-z_]+\Z")]
    )
    format = forms.ChoiceField(required=False, choices=[(name, name) for name in FORMATS])
    bom = forms.ChoiceField(required=False, choices=[("0", "0"), ("1", "1")])


class Wanted(NamedTuple):
    """Which requests, in which of the FORMATS, and whether a CSV begins with a byte order mark."""

    choice: Choice
    format: str
    with_bom: bool


@allow("see")
@require_safe
def batch_results(request: HttpRequest, api_id: str) -> HttpResponseBase:
    """The file as the API has it, or of one outcome; as JSONL, CSV or plain custom_ids."""
    batch = visible_batch_or_404(request.user, api_id)
    form = DownloadForm(request.GET)
    if not form.is_valid() or not occurs(batch, form.cleaned_data["outcome"]):
        return no_such_download(batch)
    given = form.cleaned_data
    outcome = given["outcome"]
    choice = Choice(outcome, tuple(request.GET.getlist("stop_reason")))
    wanted = Wanted(choice, given["format"] or "jsonl", with_bom=given["bom"] != "0")
    if not can_have_stopped(batch, choice):
        return no_such_stop_reason(batch)
    # What was read stays here when the API no longer has it, and is the quicker way.
    is_kept = batch.has_figures and wanted.format != "jsonl"
    if is_kept and outcome not in {"", "succeeded"}:
        return attachment(request, batch, wanted, kept_rows)
    if batch.deleted_upstream_at:
        return gone(batch)
    if not batch.has_ended:
        return not_ended(batch)
    if batch.archived_at or batch.results_state == Batch.ResultsState.LOST:
        return gone(batch)
    if request.META.get("SERVER_PROTOCOL") == "HTTP/1.0":
        return too_old_a_way()
    try:
        return attachment(request, batch, wanted, passed_on)
    except BatchNotFound as error:
        return not_there(batch, error)
    except (ApiError, connect.CannotCall, BrokenOff) as error:
        log.warning("results not passed on", batch=batch.api_id, error=str(error))
        return unreachable(error)


def occurs(batch: Batch, outcome: str) -> bool:
    """False for a word that no result of this batch has, as far as they have been read."""
    if not outcome or outcome in OUTCOMES or not batch.has_figures:
        return True
    return outcome in occurring(batch)


def occurring(batch: Batch) -> list[str]:
    """The types of result that were read of the batch, beside the usual ones."""
    read = Ingestion.objects.filter(batch=batch).values_list("outcomes", flat=True).first()
    return [word for word in read or () if word not in OUTCOMES]


def can_have_stopped(batch: Batch, choice: Choice) -> bool:
    """False for a word that no request of this batch has, as far as its results have been read.

    Only requests that succeeded have one.
    """
    if choice.stop_reasons and choice.outcome not in {"", "succeeded"}:
        return False
    return set(choice.stop_reasons) <= set(stop_reasons(batch))


def stop_reasons(batch: Batch) -> list[str]:
    """The usual stop reasons, and those that were read of the batch."""
    read = Ingestion.objects.filter(batch=batch).values_list("stop_reasons", flat=True).first()
    return list(dict.fromkeys([*STOP_REASONS, *(read or ())]))


def kept_rows(request: HttpRequest, batch: Batch, wanted: Wanted, _: ExitStack) -> Iterator[bytes]:
    record_download(request, batch, wanted.choice, wanted.format)
    rows = download.failed_rows(batch, wanted.choice.outcome)
    return told_when_broken(batch, encoded(rows, wanted))


def passed_on(
    request: HttpRequest, batch: Batch, wanted: Wanted, held: ExitStack
) -> Iterator[bytes]:
    """The file from the API, of which the first lines are here.

    Raises NoKey, ApiError or BrokenOff when they don't come.
    """
    blocks = held.enter_context(download.opened(batch))
    first = next(blocks, b"")
    record_download(request, batch, wanted.choice, wanted.format)
    return told_when_broken(batch, chosen(batch, chain([first], blocks), wanted))


def chosen(batch: Batch, blocks: Iterator[bytes], wanted: Wanted) -> Iterator[bytes]:
    """What was asked for, out of the file's blocks; all of it as JSONL is what came, untouched."""
    choice = wanted.choice
    if wanted.format == "jsonl":
        return blocks if choice.is_all else download.chosen_lines(blocks, choice)
    if wanted.format == "ids" or not choice.is_all:
        return encoded(download.chosen_rows(batch, blocks, choice), wanted)
    return encoded(download.file_rows(blocks), wanted)


def told_when_broken(batch: Batch, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The error goes on to the server, which breaks the connection: half a file must look so."""
    try:
        yield from blocks
    except BrokenOff as error:
        log.warning("results broken off", batch=batch.api_id, error=str(error))
        raise


def attachment(
    request: HttpRequest, batch: Batch, wanted: Wanted, begin: BeginDownload
) -> HttpResponseBase:
    content_type, ending = FORMATS[wanted.format]
    choice = wanted.choice
    named = "-".join((*choice.stop_reasons, choice.outcome if not choice.stop_reasons else ""))
    parts = (named.strip("-")[:100] or "results", "ids" if wanted.format == "ids" else "")
    name = f"{batch.api_id}-{'-'.join(part for part in parts if part)}.{ending}"
    return streamed(
        request, partial(begin, request, batch, wanted), name=name, content_type=content_type
    )


def encoded(rows: Iterable[Row], wanted: Wanted) -> Iterator[bytes]:
    """Rows as CSV with a header, or their ids one a line; many lines in a block."""
    if wanted.format == "csv":
        yield from csv_blocks(HEADER, rows, with_bom=wanted.with_bom)
        return
    for some in batched(rows, LINES_AT_ONCE):
        yield "".join(f"{download.plain_id(row.custom_id)}\n" for row in some).encode()


def no_such_download(batch: Batch) -> HttpResponse:
    words = [*OUTCOMES, *occurring(batch)]
    return page(
        400,
        "There is no such download",
        f"“outcome” is the type of the results wanted: {', '.join(words)}; without it all come.",
        "“format” is jsonl (the results as the API has them), csv (one row a request) or ids (one "
        "custom_id a line); without it, jsonl.",
        "“bom” is 1 or 0: whether a CSV begins with a byte order mark, which Excel needs; without "
        "it, 1.",
        "Nothing is wrong with the batch: the links on its page work.",
    )


def no_such_stop_reason(batch: Batch) -> HttpResponse:
    return page(
        400,
        "There is no such download",
        "“stop_reason” is why the answer of a request that succeeded ended: "
        f"{', '.join(stop_reasons(batch))}; it may be given several times.",
        "Nothing is wrong with the batch: the links on its page work.",
    )


def not_ended(batch: Batch) -> HttpResponse:
    return page(
        404,
        "This batch has no results yet",
        f"It is {batch.processing_status.replace('_', ' ')}. The API gives out results when all "
        "of a batch has ended, and not before.",
        "Its page says when that has happened: come back then.",
    )


def gone(batch: Batch) -> HttpResponse:
    why = (
        "The batch was deleted at the API, and its results with it."
        if batch.deleted_upstream_at
        else f"The API keeps results for {batch.results_kept_days} days from a batch’s creation, "
        "and no longer has these."
    )
    kept = (
        "What Batchboard read of them in time is on the batch’s page: usage, cost, and the "
        "requests that did not succeed."
        if batch.has_figures
        else "They were not read in time, so nothing of them is left here either."
    )
    return page(404, "The results of this batch are gone", why, kept)


def not_there(batch: Batch, error: BatchNotFound) -> HttpResponse:
    is_past = clock.now() >= batch.results_expire_at
    return page(
        404,
        "The API has no results of this batch",
        str(error),
        f"Results are kept for {batch.results_kept_days} days from a batch’s creation: these have "
        "expired. What was read of them before is on the batch’s page."
        if is_past
        else "Right after a batch’s end they may be late: try again in a minute.",
    )


def unreachable(error: Exception) -> HttpResponse:
    return page(
        503 if isinstance(error, connect.CannotCall | TryLater) else 502,
        "The results cannot be fetched now",
        str(error),
        "No file was begun, and the batch was not touched.",
        "If that is about the key, ask an admin. Otherwise try again in a minute.",
    )


def too_old_a_way() -> HttpResponse:
    return page(
        505,
        "Results cannot be passed on over HTTP/1.0",
        "With it nobody can tell half a file from a whole one, should the API break off.",
        "Some proxies speak it unless told otherwise: ask an admin to have the one before "
        "Batchboard use HTTP/1.1 (nginx: proxy_http_version 1.1). Everything else works as it is.",
    )
