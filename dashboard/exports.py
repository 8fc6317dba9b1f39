"""CSV downloads: streamed and recorded in the audit, with no database cursor left open."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC
from itertools import batched
from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from batches import clock
from dashboard.csv_cells import csv_blocks, wants_bom
from dashboard.errors import invalid_filters
from dashboard.streams import streamed

CONTENT_TYPE = "text/csv; charset=utf-8"
ROWS_AT_ONCE = 500


def csv_answer(
    request: HttpRequest,
    name: str,
    header: Iterable[str],
    rows: Iterable[Iterable[Any]],
    *,
    record: Callable[[], object],
) -> HttpResponseBase:
    """Streams a CSV, with a byte order mark unless the address says `bom=0`.

    `record` writes the export into the audit, and is called only when the file is sent.
    """
    try:
        with_bom = wants_bom(request.GET.get("bom"))
    except ValueError as error:
        return invalid_filters([str(error)])

    def begin(_: ExitStack) -> Iterator[bytes]:
        record()
        return csv_blocks(header, rows, with_bom=with_bom)

    return streamed(request, begin, name=name, content_type=CONTENT_TYPE)


def file_name(stem: str, chosen: Mapping[str, Any]) -> str:
    """Names the first and last day of the file: the filters' `since` and `until`.

    The first day is omitted without `since`; the last is today in UTC without `until`.
    """
    stem = marked_as_demo(stem)
    since, until = chosen.get("since"), chosen.get("until") or clock.now().astimezone(UTC).date()
    return f"{stem}-{since}-to-{until}.csv" if since else f"{stem}-to-{until}.csv"


def marked_as_demo(stem: str) -> str:
    """Begins with "demo-" in a demo, whose figures are invented."""
    return f"demo-{stem}" if settings.IS_DEMO else stem


def in_blocks[Row: Model](rows: QuerySet[Row]) -> Iterator[Row]:
    """The rows that match when the first is read, in their order.

    No cursor stays open between blocks. While the client downloads, it would keep SQLite from
    checkpointing its log, and hold a transaction open on PostgreSQL.
    """
    keys = array("q", rows.values_list("pk", flat=True))
    for block in batched(keys, ROWS_AT_ONCE):
        found = rows.order_by().in_bulk(block)
        yield from (found[key] for key in block if key in found)
