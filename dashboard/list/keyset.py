"""Keyset pages of the list: the next page begins after a batch, not at a page number."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Self

from django.db.models import Q

from batches.models import Batch
from dashboard.query_form import rows_after

LONGEST_CURSOR = 200
# Every number that fits into the columns of the orders.
NUMBER = r"-?[0-9]{1,18}|[12][0-9]{18}"
PLAIN = re.compile(
    rf"(?P<sort>[a-z]+)\|(?P<number>[0-9]{{1,18}})"
    rf"\|(?P<value>{NUMBER}|[0-9T:.-]+\+00:00)\|(?P<pk>[0-9]{{1,18}})"
)


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the list: by one column and, among equals, by the primary key."""

    title: str
    column: str
    is_descending: bool = True

    @property
    def terms(self) -> tuple[str, str]:
        sign = "-" if self.is_descending else ""
        return f"{sign}{self.column}", f"{sign}id"

    @property
    def reversed_terms(self) -> tuple[str, str]:
        sign = "" if self.is_descending else "-"
        return f"{sign}{self.column}", f"{sign}id"

    def sort(self, batches: list[Batch]) -> list[Batch]:
        return sorted(batches, key=attrgetter(self.column, "pk"), reverse=self.is_descending)


ORDERS = {
    "active": Order("Active first", "active_order"),
    "newest": Order("Newest first", "created_at"),
    "oldest": Order("Oldest first", "created_at", is_descending=False),
    "largest": Order("Largest first", "requests"),
    "longest": Order("Longest running first", "length_order"),
    "expiry": Order("Expires soonest first", "expiry_order"),
    "cost": Order("Most expensive first", "cost_order"),
}


class BadCursor(ValueError):
    """The text is not a cursor that a page of this order made."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an order, given by the batch that was there when the page was made.

    `number` counts the batches from the beginning of the list up to this one.
    """

    sort: str
    number: int
    value: Any
    pk: int

    @classmethod
    def of(cls, batch: Batch, sort: str, number: int) -> Self:
        return cls(sort, number, getattr(batch, ORDERS[sort].column), batch.pk)

    @classmethod
    def from_text(cls, text: str, sort: str) -> Self:
        """Reads what `str` wrote. Raises BadCursor for anything else."""
        written = PLAIN.fullmatch(_decoded(text))
        if not written or written["sort"] != sort:
            raise BadCursor
        try:
            value = _read_value(written["value"], ORDERS[sort].column)
        except (ValueError, OverflowError) as error:
            raise BadCursor from error
        return cls(sort, int(written["number"]), value, int(written["pk"]))

    def __str__(self) -> str:
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        plain = f"{self.sort}|{self.number}|{value}|{self.pk}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @property
    def here(self) -> Q:
        return Q(**self._columns)

    @property
    def after(self) -> Q:
        """The batches that follow this position."""
        return rows_after(self._columns, descending=ORDERS[self.sort].is_descending)

    @property
    def before(self) -> Q:
        """The batches that precede this position."""
        return rows_after(self._columns, descending=not ORDERS[self.sort].is_descending)

    @property
    def _columns(self) -> dict[str, Any]:
        return {ORDERS[self.sort].column: self.value, "pk": self.pk}


@dataclass(frozen=True, slots=True)
class Window:
    """The part of an order that a page shows, both ends included; None: up to the list's end."""

    first: Position | None = None
    last: Position | None = None

    @property
    def where(self) -> Q:
        within = Q()
        if self.first:
            within &= self.first.here | self.first.after
        if self.last:
            within &= self.last.here | self.last.before
        return within


def _read_value(text: str, column: str) -> Any:
    if column == "created_at":
        return datetime.fromisoformat(text).astimezone(UTC)
    return int(text)


def _decoded(text: str) -> str:
    """Empty for anything but the base64url of plain text."""
    try:
        padded = text[:LONGEST_CURSOR].encode("ascii") + b"=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (UnicodeError, binascii.Error):
        return ""
