"""Where a page of batches ends and the next begins: a position in the order, not a number."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from django.db.models import Q

from batches.models import Batch

ORDERS: dict[str, tuple[str, ...]] = {
    "active": ("-is_active", "-created_at", "-id"),
    "newest": ("-created_at", "-id"),
    "oldest": ("created_at", "id"),
}
LONGEST_CURSOR = 200


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
        try:
            if len(text) > LONGEST_CURSOR:
                raise ValueError
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
            order, active, created_at, pk = plain.split("|")
            position = cls(order, active == "1", datetime.fromisoformat(created_at), int(pk))
            if order != sort or position.created_at.tzinfo is None or not 0 < position.pk < 2**63:
                raise ValueError
        except (ValueError, OverflowError, binascii.Error) as error:
            raise BadCursor from error
        return position

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
