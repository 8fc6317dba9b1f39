"""CSV answers: streamed, and harmless to a spreadsheet."""

import csv
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from itertools import batched
from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dashboard.streams import streamed

UNKNOWN = "unknown"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
ROWS_AT_ONCE = 500
LINES_AT_ONCE = 200


class Echo:
    """A file that hands back what is written to it, so that csv can stream."""

    def write(self, line: str) -> str:
        return line


def csv_answer(
    request: HttpRequest,
    name: str,
    header: Iterable[str],
    rows: Iterable[Iterable[Any]],
    *,
    record: Callable[[], object],
) -> HttpResponseBase:
    """A CSV, streamed; no cell of it is a formula to a spreadsheet.

    `record` writes the export into the audit. It is called when the file is really sent.
    """

    def begin(_: ExitStack) -> Iterator[bytes]:
        record()
        return csv_blocks(header, rows)

    return streamed(request, begin, name=name, content_type="text/csv; charset=utf-8")


def csv_blocks(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    writer: Any = csv.writer(Echo())
    yield writer.writerow([cell(name) for name in header]).encode()
    lines = (writer.writerow([cell(value) for value in row]) for row in rows)
    for some in batched(lines, LINES_AT_ONCE):
        yield "".join(some).encode()


def in_blocks[Row: Model](rows: QuerySet[Row]) -> Iterator[Row]:
    """All rows in their order, as they match when the first is read.

    Nothing is open at the database between two blocks. A cursor would keep SQLite from
    checkpointing its log, or hold a transaction on PostgreSQL, for as long as the reader takes.
    """
    keys = array("q", rows.values_list("pk", flat=True))
    for block in batched(keys, ROWS_AT_ONCE):
        found = rows.order_by().in_bulk(block)
        yield from (found[key] for key in block if key in found)


def cell(value: Any) -> Any:
    """Text that a spreadsheet would run gets an apostrophe before it, as OWASP advises."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def usd(amount: Decimal | None) -> str:
    """An amount in US dollars for a column whose header says so, to a millionth."""
    return UNKNOWN if amount is None else f"{amount:.6f}"
