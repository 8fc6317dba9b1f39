"""Why requests of a batch failed, by kind of failure, and which are worth sending again."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import nsmallest

from django.db.models import Count, Q

from batches.models import Batch

# So many kinds of each remedy are loaded, the largest.
KINDS_LOADED = 50
# While they are counted, only the largest of so many are kept.
MOST_KEPT = 1000
# The outcomes of requests that never ran.
NEVER_RAN = ("canceled", "expired")
# Types of errors by Anthropic's documentation ("Errors") and SDK 2.12.0
# (`types/shared/error_object.py`): those that may pass by themselves, and those of the request,
# the key or the account.
PASSING = ("api_error", "overloaded_error", "rate_limit_error", "timeout_error")
LASTING = (
    "invalid_request_error",
    "request_too_large",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
)


class Remedy(StrEnum):
    """What helps against a failure. The values are part of addresses."""

    RETRY = "retryable"
    FIX = "fix_first"
    UNKNOWN = "other"


# Every request that did not succeed, whatever its remedy.
UNSUCCESSFUL = "unsuccessful"
CHOICES = (*Remedy, UNSUCCESSFUL)

_RETRYABLE = Q(outcome__in=NEVER_RAN) | Q(outcome="errored", error_type__in=PASSING)
_FIX_FIRST = Q(outcome="errored", error_type__in=LASTING)
ROWS: dict[str, Q] = {
    Remedy.RETRY: _RETRYABLE,
    Remedy.FIX: _FIX_FIRST,
    Remedy.UNKNOWN: ~(_RETRYABLE | _FIX_FIRST),
    UNSUCCESSFUL: Q(),
}


def remedy_for(outcome: str, error_type: str) -> Remedy | None:
    """What helps against one request's failure, as `ROWS` selects; None if it succeeded."""
    if outcome == "succeeded":
        return None
    if outcome in NEVER_RAN or (outcome == "errored" and error_type in PASSING):
        return Remedy.RETRY
    if outcome == "errored" and error_type in LASTING:
        return Remedy.FIX
    return Remedy.UNKNOWN


@dataclass(frozen=True, slots=True)
class FailureKind:
    """How many requests failed in the same way, in the words of the results file."""

    outcome: str
    error_type: str
    message: str
    requests: int


@dataclass(slots=True)
class FailureGroup:
    """The failures with one remedy: its largest kinds, and how much there is in all."""

    remedy: Remedy
    requests: int = 0
    kinds_in_all: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: list[FailureKind] = field(default_factory=list)

    def add(self, kind: FailureKind) -> None:
        self.requests += kind.requests
        self.kinds_in_all += 1
        self.outcomes[kind.outcome] += kind.requests
        self.kinds.append(kind)
        if len(self.kinds) == MOST_KEPT:
            self.kinds = nsmallest(KINDS_LOADED, self.kinds, key=_order)

    @property
    def more(self) -> int:
        """How many kinds were not loaded."""
        return self.kinds_in_all - len(self.kinds)


def failure_groups(batch: Batch) -> list[FailureGroup]:
    """The failures by remedy, without empty groups; their largest kinds first. One query."""
    groups = {remedy: FailureGroup(remedy) for remedy in Remedy}
    for kind in _kinds(batch):
        if remedy := remedy_for(kind.outcome, kind.error_type):
            groups[remedy].add(kind)
    for group in groups.values():
        group.kinds = nsmallest(KINDS_LOADED, group.kinds, key=_order)
    return [group for group in groups.values() if group.requests]


def _order(kind: FailureKind) -> tuple[object, ...]:
    """The largest first, then by text, in which 2 comes before 10."""
    pieces = re.split(r"(\d+)", kind.message)
    numbered = [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]
    return -kind.requests, kind.outcome, kind.error_type, numbered


def _kinds(batch: Batch) -> Iterator[FailureKind]:
    """Counted by an index alone, a block of kinds at a time: each request may be its own kind."""
    columns = ("outcome", "error_type", "message")
    counted = batch.failed_requests.values(*columns).annotate(requests=Count("pk"))
    for row in counted.order_by(*columns).values_list(*columns, "requests").iterator():
        yield FailureKind(*row)
