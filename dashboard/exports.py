"""CSV answers: streamed, recorded in the audit, and with nothing open at the database."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC
from itertools import batched
from typing import Any

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
    """A CSV, streamed: as `dashboard.csv_cells` writes it, with a BOM unless `bom=0` is asked for.

    `record` writes the export into the audit. It is called when the file is really sent.
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
    """With the days that the file is of, both included: `since` and `until` of the filters.

    Without `since` it is of all days from the first; without `until`, up to today in UTC.
    """
    since, until = chosen.get("since"), chosen.get("until") or clock.now().astimezone(UTC).date()
    return f"{stem}-{since}-to-{until}.csv" if since else f"{stem}-to-{until}.csv"


def in_blocks[Row: Model](rows: QuerySet[Row]) -> Iterator[Row]:
    """All rows in their order, as they match when the first is read.

    Nothing is open at the database between two blocks. A cursor would keep SQLite from
    checkpointing its log, or hold a transaction on PostgreSQL, for as long as the reader takes.
    """
    keys = array("q", rows.values_list("pk", flat=True))
    for block in batched(keys, ROWS_AT_ONCE):
        found = rows.order_by().in_bulk(block)
        yield from (found[key] for key in block if key in found)
