"""Why requests of a batch failed, by kind of failure."""

from dataclasses import dataclass

from django.db.models import Count, Window

from batches.models import Batch

KINDS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class FailureKind:
    """How many requests failed in the same way, in the words of the results file."""

    outcome: str
    error_type: str
    message: str
    requests: int


def failure_kinds(batch: Batch) -> tuple[list[FailureKind], int]:
    """The KINDS_SHOWN largest kinds, largest first, and how many more there are; one query."""
    kinds = batch.failed_requests.values_list("outcome", "error_type", "message")
    counted = kinds.annotate(requests=Count("pk")).annotate(kinds=Window(Count("*")))
    largest = counted.order_by("-requests", "outcome", "error_type", "message")[:KINDS_SHOWN]
    rows = list(largest)
    more = rows[0][-1] - len(rows) if rows else 0
    return [FailureKind(*row[:-1]) for row in rows], more
