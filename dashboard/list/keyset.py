"""Keyset pages of the list: the next page begins after a batch, not at a page number."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from django.db.models import Q

from batches.models import Batch
from dashboard.query_form import rows_after

ORDERS: dict[str, tuple[str, ...]] = {
    "active": ("-is_active", "-created_at", "-id"),
    "newest": ("-created_at", "-id"),
    "oldest": ("created_at", "id"),
}
LONGEST_CURSOR = 200
# A key of at most 18 digits fits into the database's column.
PLAIN = re.compile(
    r"(?P<sort>[a-z]+)\|(?P<active>[01])"
    r"\|(?P<created_at>[0-9T:.-]+\+00:00)\|(?P<pk>[0-9]{1,18})"
)


class BadCursor(ValueError):
    """The text is not a cursor that a page of this order made."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last batch of a page, as the values of the columns that the page is sorted by."""

    sort: str
    is_active: bool
    created_at: datetime
    pk: int

    @classmethod
    def of(cls, batch: Batch, sort: str) -> Self:
        return cls(sort, batch.is_active, batch.created_at, batch.pk)

    @classmethod
    def from_text(cls, text: str, sort: str) -> Self:
        """Reads what `str` wrote. Raises BadCursor for anything else."""
        written = PLAIN.fullmatch(_decoded(text))
        try:
            if written and written["sort"] == sort:
                moment = datetime.fromisoformat(written["created_at"]).astimezone(UTC)
                return cls(sort, written["active"] == "1", moment, int(written["pk"]))
        except (ValueError, OverflowError) as error:
            raise BadCursor from error
        raise BadCursor

    def __str__(self) -> str:
        plain = f"{self.sort}|{int(self.is_active)}|{self.created_at.isoformat()}|{self.pk}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    def beyond(self) -> Q:
        """The batches that follow this position in its order."""
        position = {"created_at": self.created_at, "pk": self.pk}
        further = rows_after(position, descending=self.sort != "oldest")
        if self.sort != "active":
            return further
        if self.is_active:
            return Q(is_active=False) | (Q(is_active=True) & further)
        return Q(is_active=False) & further


def _decoded(text: str) -> str:
    """Empty for anything but the base64url of plain text."""
    try:
        padded = text[:LONGEST_CURSOR].encode("ascii") + b"=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (UnicodeError, binascii.Error):
        return ""
