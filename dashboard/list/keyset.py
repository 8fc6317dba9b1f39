"""Where a page of batches ends and the next begins: a position in the order, not a number."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from django.db.models import Q

from batches.models import Batch

ORDERS: dict[str, tuple[str, ...]] = {
    "active": ("-is_active", "-created_at", "-id"),
    "newest": ("-created_at", "-id"),
    "oldest": ("created_at", "id"),
}
LONGEST_CURSOR = 200
# A key has at most 18 digits, so that every one of them fits into the column.
PLAIN = re.compile(
    r"(?P<sort>[a-z]+)\|(?P<active>[01])"
    r"\|(?P<created_at>[0-9T:.-]+\+00:00)\|(?P<pk>[0-9]{1,18})"
)


class BadCursor(ValueError):
    """The text is no position that a page of this order ended at."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last batch of a page, by the columns that its order sorts by."""

    sort: str
    is_active: bool
    created_at: datetime
    pk: int

    @classmethod
    def of(cls, batch: Batch, sort: str) -> Self:
        return cls(sort, batch.is_active, batch.created_at, batch.pk)

    @classmethod
    def from_text(cls, text: str, sort: str) -> Self:
        """Read what `str` wrote. Raises BadCursor for anything else, whoever made it up."""
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
        """The rows that come after this position in its order."""
        if self.sort == "oldest":
            return Q(created_at__gte=self.created_at) & (
                Q(created_at__gt=self.created_at) | Q(pk__gt=self.pk)
            )
        # The first term looks superfluous; it is what lets the index find where to begin.
        older = Q(created_at__lte=self.created_at) & (
            Q(created_at__lt=self.created_at) | Q(pk__lt=self.pk)
        )
        if self.sort == "newest":
            return older
        if self.is_active:
            return Q(is_active=False) | (Q(is_active=True) & older)
        return Q(is_active=False) & older


def _decoded(text: str) -> str:
    """Empty for what is no base64url of plain text."""
    try:
        padded = text[:LONGEST_CURSOR].encode("ascii") + b"=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (UnicodeError, binascii.Error):
        return ""
