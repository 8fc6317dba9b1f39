"""A status by which the list is filtered: as a condition of a query, and as a test of a row."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q


class Status:
    """`columns` are the values that each column of a batch may have.

    `empty` is the sentence for no batch of this status.
    """

    def __init__(self, title: str, empty: str, **columns: Sequence[Any]) -> None:
        self.title = title
        self.empty = empty
        self._columns = columns

    @property
    def where(self) -> Q:
        """As a condition of a query."""
        return Q(**dict(map(_lookup, self._columns, self._columns.values())))

    def holds(self, row: Any) -> bool:
        """Whether a row with these columns has the status."""
        return all(getattr(row, name) in values for name, values in self._columns.items())


def _lookup(name: str, values: Sequence[Any]) -> tuple[str, Any]:
    # Equality lets SQLite use a partial index; IN does not.
    return (name, values[0]) if len(values) == 1 else (f"{name}__in", values)
