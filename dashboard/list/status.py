"""A status that the list can be narrowed down to: as a query, and as a test of one row."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q


class Status:
    """`columns` are the values that a batch's columns may have; any, where there are none."""

    def __init__(self, title: str, **columns: Sequence[Any]) -> None:
        self.title = title
        self._columns = columns

    @property
    def where(self) -> Q:
        """The condition for a query."""
        return Q(**dict(map(_lookup, self._columns, self._columns.values())))

    def holds(self, row: Any) -> bool:
        """Whether a row with these columns has the status."""
        return all(getattr(row, name) in values for name, values in self._columns.items())


def _lookup(name: str, values: Sequence[Any]) -> tuple[str, Any]:
    # Equality lets SQLite use an index with a condition, where IN does not.
    return (name, values[0]) if len(values) == 1 else (f"{name}__in", values)
