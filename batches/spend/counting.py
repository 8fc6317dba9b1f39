"""How many batches a figure of spend includes, and how many are missing from it."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from django.db.models import Count, DateField, F, Func, Q

from batches.models import Batch
from batches.models.batch import READ_STATES
from batches.models.usage import PRICED_BY
from batches.period import DAY, Period
from batches.spend.question import COLUMNS, Question
from batches.spend.summing import PricedUsage

UNREAD_WORDS = {"pending": "unread"}


class MissingBatches(NamedTuple):
    """How many batches of one UTC day and group are missing from its figure.

    `kind` is one of MISSING, or "outdated".
    """

    kind: str
    day: date
    # None where batches are grouped by model, which is not known yet.
    group: Any
    batches: int


def count_read(question: Question) -> tuple[int, dict[Any, int]]:
    """Batches of the period whose results have been read: all, and by group.

    A batch that used several models counts with each, so groups by model may sum to more.
    """
    if question.model is not None:
        groups = _with_usage(question)
        return sum(groups.values()), groups
    read = question.batches(question.period).filter(results_state__in=READ_STATES)
    if question.group == "model":
        return read.count(), _with_usage(question)
    groups = defaultdict(int)
    for value, batches in read.values_list(_column(question)).annotate(Count("pk")):
        groups[_group(question, value)] += batches
    return sum(groups.values()), groups


def _with_usage(question: Question) -> dict[Any, int]:
    usage = question.usage(question.period).values_list(COLUMNS[question.group])
    return dict(usage.annotate(Count("batch", distinct=True)))


def count_unread(question: Question, period: Period) -> Iterator[MissingBatches]:
    """Batches that are running, unread, unreadable, lost, or not entirely understood.

    Batches that an older version read count as "outdated", though their figures are included.
    """
    batches = (
        question.batches(period)
        .exclude(results_state=Batch.ResultsState.READ, unknown_lines=0)
        # Django's TruncDate would run in Python for each row on SQLite.
        .annotate(day=Func(F("created_at"), function="DATE", output_field=DateField()))
        .values_list("day", "is_active", "results_state", "unknown_lines", _column(question))
        .annotate(Count("pk"))
    )
    for day, is_active, state, unknown_lines, value, count in batches:
        group = _group(question, value)
        if state in READ_STATES and unknown_lines:
            yield MissingBatches("incomplete", day, group, count)
        if state != Batch.ResultsState.READ:
            kind = "running" if is_active else UNREAD_WORDS.get(state, state)
            yield MissingBatches(kind, day, group, count)


def count_unpriced(
    question: Question, unpriced: Collection[PricedUsage], starts: Sequence[date]
) -> tuple[dict[date, int], dict[Any, int]]:
    """Batches with usage that has no price: by day, and by group.

    `unpriced` is the usage without a price; `starts` are the days from which prices apply.
    Grouped by model, a batch that used several such models counts with each.
    """
    usage = question.usage(question.period).filter(
        _without_price(unpriced, starts, question.period),
        # The others count as incomplete already, and each batch counts once.
        batch__unknown_lines=0,
    )
    count = Count("batch", distinct=True)
    if question.group == "model":
        return (
            dict(usage.values_list("day").annotate(count)),
            dict(usage.values_list("model").annotate(count)),
        )
    days: dict[date, int] = defaultdict(int)
    groups: dict[Any, int] = defaultdict(int)
    for day, group, batches in usage.values_list("day", COLUMNS[question.group]).annotate(count):
        days[day] += batches
        groups[group] += batches
    return days, groups


def _without_price(unpriced: Collection[PricedUsage], starts: Sequence[date], period: Period) -> Q:
    """Selects the usage without a price, with few conditions for any number of models."""
    columns = [name for name in PRICED_BY if name != "model"]
    models: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    ends = [start - DAY for start in starts[1:]] + [period.until]
    for row in unpriced:
        span = next(span for span in zip(starts, ends, strict=True) if row.by["day"] <= span[1])
        models[*(row.by[name] for name in columns), span].add(row.by["model"])
    found = Q(pk__in=[])
    for (*values, span), used in models.items():
        terms = dict(zip(columns, values, strict=True))
        found |= Q(**terms, day__range=span, model__in=used)
    return found


def _column(question: Question) -> str:
    """The column of Batch that the question groups by; for models, any column."""
    return {"canceled": "outcome", "model": "workspace_id"}.get(
        question.group, COLUMNS[question.group]
    )


def _group(question: Question, value: Any) -> Any:
    match question.group:
        case "canceled":
            return value == "canceled"
        case "model":
            return None
    return value
