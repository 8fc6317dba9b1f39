"""Downloads of one batch's results, streamed from Anthropic or from Batchboard's database."""

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
from batches.models import Batch, Reading
from batches.models.batch import RESULTS_KEPT
from batches.outcome import STOP_REASONS
from batches.results import download
from batches.results.download import BrokenOff, RequestFilter, ResultRow
from batches.results.failures import CHOICES
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
# Any batch may be asked for these outcomes, even if it has none of them.
OUTCOMES = ("succeeded", "errored", "canceled", "expired")
LINKS_WORK = "Nothing is wrong with the batch: the links on its page work."
RESULTS_EXPIRE = f"Results expire {RESULTS_KEPT.days} days after a batch is created."
type BeginDownload = Callable[[HttpRequest, Batch, Download, ExitStack], Iterator[bytes]]


class DownloadForm(forms.Form):
    """`outcome` may be any word that the API could use as a type of result."""

    outcome = forms.CharField(
        required=False, max_length=60, validators=[RegexValidator(r"\A[a-z_]+\Z")]
    )
    kind = forms.ChoiceField(required=False, choices=[(name, name) for name in CHOICES])
    format = forms.ChoiceField(required=False, choices=[(name, name) for name in FORMATS])
    bom = forms.ChoiceField(required=False, choices=[("0", "0"), ("1", "1")])


class Download(NamedTuple):
    """The chosen requests, one of the FORMATS, and whether a CSV begins with a byte order mark."""

    choice: RequestFilter
    format: str
    with_bom: bool


@allow("see")
@require_safe
def batch_results(request: HttpRequest, api_id: str) -> HttpResponseBase:
    """The API's results file or some of its requests, as JSONL, CSV or plain custom_ids."""
    batch = visible_batch_or_404(request.user, api_id)
    form = DownloadForm(request.GET)
    if not form.is_valid() or not occurs(batch, form.cleaned_data["outcome"]):
        return no_such_download(batch)
    given = form.cleaned_data
    outcome = given["outcome"]
    choice = RequestFilter(outcome, tuple(request.GET.getlist("stop_reason")), given["kind"])
    wanted = Download(choice, given["format"] or "jsonl", with_bom=given["bom"] != "0")
    if not can_have_stopped(batch, choice):
        return no_such_stop_reason(batch)
    # Faster than the file, and still there once the API no longer has it.
    is_stored = batch.has_figures and wanted.format != "jsonl"
    if is_stored and outcome != "succeeded" and (outcome or choice.kind):
        return attachment(request, batch, wanted, stored_rows)
    if batch.deleted_upstream_at:
        return no_longer_available(batch)
    if not batch.has_ended:
        return not_ended(batch)
    if batch.archived_at or batch.results_state == Batch.ResultsState.LOST:
        return no_longer_available(batch)
    if request.META.get("SERVER_PROTOCOL") == "HTTP/1.0":
        return http_1_0()
    try:
        return attachment(request, batch, wanted, streamed_file)
    except BatchNotFound as error:
        return not_there(batch, error)
    except (ApiError, connect.CannotCall, BrokenOff) as error:
        log.warning("results download failed", batch=batch.api_id, error=str(error))
        return unreachable(error)


def occurs(batch: Batch, outcome: str) -> bool:
    """False if the results have been read and none of them has this outcome."""
    if not outcome or outcome in OUTCOMES or not batch.has_figures:
        return True
    return outcome in occurring(batch)


def occurring(batch: Batch) -> list[str]:
    """The outcomes that were read from the batch's results, besides the usual ones."""
    read = Reading.objects.filter(batch=batch).values_list("outcomes", flat=True).first()
    return [word for word in read or () if word not in OUTCOMES]


def can_have_stopped(batch: Batch, choice: RequestFilter) -> bool:
    """False if no request of the batch can have these stop reasons.

    Only succeeded requests have one, which is a usual one or was read from the results.
    """
    if choice.stop_reasons and (choice.kind or choice.outcome not in {"", "succeeded"}):
        return False
    return set(choice.stop_reasons) <= set(known_stop_reasons(batch))


def known_stop_reasons(batch: Batch) -> list[str]:
    """The usual stop reasons, and those that were read from the batch's results."""
    read = Reading.objects.filter(batch=batch).values_list("stop_reasons", flat=True).first()
    return list(dict.fromkeys([*STOP_REASONS, *(read or ())]))


def stored_rows(
    request: HttpRequest, batch: Batch, wanted: Download, _: ExitStack
) -> Iterator[bytes]:
    record_download(request, batch, wanted.choice, wanted.format)
    rows = download.failed_rows(batch, wanted.choice)
    return logged_when_broken(batch, encoded(rows, wanted))


def streamed_file(
    request: HttpRequest, batch: Batch, wanted: Download, held: ExitStack
) -> Iterator[bytes]:
    """The file from the API, once its first block has arrived.

    Raises CannotCall, ApiError or BrokenOff if it doesn't.
    """
    blocks = held.enter_context(download.opened(batch))
    first = next(blocks, b"")
    record_download(request, batch, wanted.choice, wanted.format)
    return logged_when_broken(batch, matching_lines(batch, chain([first], blocks), wanted))


def matching_lines(batch: Batch, blocks: Iterator[bytes], wanted: Download) -> Iterator[bytes]:
    """The requests in their format, from the file's blocks; a whole file as JSONL is unchanged."""
    choice = wanted.choice
    if wanted.format == "jsonl":
        return blocks if choice.is_all else download.chosen_lines(blocks, choice)
    if wanted.format == "ids" or not choice.is_all:
        return encoded(download.chosen_rows(batch, blocks, choice), wanted)
    return encoded(download.file_rows(blocks), wanted)


def logged_when_broken(batch: Batch, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Logs the error and raises it again: the server then breaks the connection off.

    Otherwise half a file would look like a whole one.
    """
    try:
        yield from blocks
    except BrokenOff as error:
        log.warning("results download broke off", batch=batch.api_id, error=str(error))
        raise


def attachment(
    request: HttpRequest, batch: Batch, wanted: Download, begin: BeginDownload
) -> HttpResponseBase:
    content_type, ending = FORMATS[wanted.format]
    name = f"{batch.api_id}-{name_of(wanted)}.{ending}"
    return streamed(
        request, partial(begin, request, batch, wanted), name=name, content_type=content_type
    )


def name_of(wanted: Download) -> str:
    """What was chosen, for a file name: such as "errored" or "retryable-ids"."""
    choice = wanted.choice
    parts = choice.stop_reasons or (choice.outcome, choice.kind)
    named = "-".join(part for part in parts if part)[:100] or "results"
    return f"{named}-ids" if wanted.format == "ids" else named


def ids_file(batch: Batch, kind: str) -> str:
    """The name of the file with the custom_ids of one kind."""
    wanted = Download(RequestFilter(kind=kind), "ids", with_bom=False)
    return f"{batch.api_id}-{name_of(wanted)}.{FORMATS['ids'][1]}"


def encoded(rows: Iterable[ResultRow], wanted: Download) -> Iterator[bytes]:
    """Rows as CSV with a header, or their custom_ids one per line; many lines in a block."""
    if wanted.format == "csv":
        yield from csv_blocks(HEADER, rows, with_bom=wanted.with_bom)
        return
    for some in batched(rows, LINES_AT_ONCE):
        yield "".join(f"{download.plain_id(row.custom_id)}\n" for row in some).encode()


def no_such_download(batch: Batch) -> HttpResponse:
    words = ", ".join((*OUTCOMES, *occurring(batch)))
    return page(
        400,
        "Unknown download",
        f"“outcome” is one of {words}; omit it for all outcomes.",
        f"“kind” is one of {', '.join(CHOICES)}; omit it for all requests.",
        "“format” is jsonl (the API’s own lines), csv (one row per request) or ids (one custom_id "
        "per line); omit it for jsonl.",
        "“bom” is 1 or 0: whether a CSV begins with a byte order mark, which Excel needs; omit it "
        "for 1.",
        LINKS_WORK,
    )


def no_such_stop_reason(batch: Batch) -> HttpResponse:
    return page(
        400,
        "Unknown download",
        "“stop_reason” is why the answer of a succeeded request ended: one of "
        f"{', '.join(known_stop_reasons(batch))}. It may be repeated.",
        LINKS_WORK,
    )


def not_ended(batch: Batch) -> HttpResponse:
    return page(
        404,
        "This batch has no results yet",
        f"It is {batch.processing_status.replace('_', ' ')}. The API provides results once the "
        "whole batch has ended.",
        "Its page shows when it ends.",
    )


def no_longer_available(batch: Batch) -> HttpResponse:
    why = (
        "The batch was deleted upstream, and its results with it."
        if batch.deleted_upstream_at
        else f"{RESULTS_EXPIRE} The API no longer has these."
    )
    stored = (
        "Batchboard read them in time: the batch’s page shows its usage, cost and failures."
        if batch.has_figures
        else "They were not read in time, so Batchboard doesn’t have them either."
    )
    return page(404, "The results of this batch are no longer available", why, stored)


def not_there(batch: Batch, error: BatchNotFound) -> HttpResponse:
    is_past = clock.now() >= batch.results_expire_at
    return page(
        404,
        "The API has no results of this batch",
        str(error),
        f"{RESULTS_EXPIRE} These have expired. The batch’s page shows what was read before."
        if is_past
        else "They may appear a little after the batch ends. Try again in a minute.",
    )


def unreachable(error: Exception) -> HttpResponse:
    return page(
        503 if isinstance(error, connect.CannotCall | TryLater) else 502,
        "The results can’t be downloaded right now",
        str(error),
        "No download started, and the batch is unchanged.",
        "If the error is about the key, ask an admin. Otherwise try again in a minute.",
    )


def http_1_0() -> HttpResponse:
    return page(
        505,
        "Results can’t be downloaded over HTTP/1.0",
        "HTTP/1.0 cannot signal a truncated download.",
        "Some proxies use it by default. Ask an admin to have the proxy in front of Batchboard use "
        "HTTP/1.1 (nginx: proxy_http_version 1.1). Everything else works.",
    )
