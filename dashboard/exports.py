"""CSV answers: streamed, and harmless to a spreadsheet."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import StreamingHttpResponse

UNKNOWN = "unknown"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Echo:
    """A file that hands back what is written to it, so that csv can stream."""

    def write(self, line: str) -> str:
        return line


def csv_answer(
    name: str, header: Iterable[str], rows: Iterable[Iterable[Any]]
) -> StreamingHttpResponse:
    """A CSV, streamed; no cell of it is a formula to a spreadsheet."""
    writer = csv.writer(Echo())

    def lines() -> Iterator[str]:
        yield writer.writerow([cell(name) for name in header])
        for row in rows:
            yield writer.writerow([cell(value) for value in row])

    answer = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


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
