"""What batches cost in a period, by day, workspace, model, label, owner, or canceled or not.

A batch's spend counts on the UTC day on which the batch was created. It is computed from usage
rows each time and never stored, so no figure can be out of date.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from django.conf import settings
from django.db.models import Case, IntegerField, OuterRef, Subquery, Value, When

from batches import clock
from batches.models import Batch, BatchQuerySet, BatchUsage, Workspace
from batches.models.batch import RESULTS_KEPT
from batches.models.usage import PRICED_BY
from batches.period import Period
from batches.pricing import CLASSES, EXACT, ZERO, PriceTable, model_name
from batches.resubmit import resubmissions
from batches.results.reading import outdated, unread
from batches.spend.costs import UnpricedReason, why_unpriced
from batches.spend.counting import count_read, count_unpriced, count_unread
from batches.spend.figures import ClassFigure, Figure, by_class
from batches.spend.question import COLUMNS, Question
from batches.spend.summing import PricedUsage, sum_usage

ADVISOR = BatchUsage.Part.ADVISOR
EXPIRING_WITHIN = timedelta(days=3)


@dataclass(slots=True)
class Spend:
    """A period's figures. Groups and series are keyed by the value of their column.

    Grouped by model, the key None has the batches that have not been read: their models are not
    known yet.
    """

    total: Figure = field(default_factory=Figure)
    # The same for as many days right before, except that `read` is not counted.
    before: Figure = field(default_factory=Figure)
    days: dict[date, Figure] = field(default_factory=lambda: defaultdict(Figure))
    series: dict[Any, Figure] = field(default_factory=lambda: defaultdict(Figure))
    # By day and series.
    cells: dict[tuple[date, Any], Figure] = field(default_factory=lambda: defaultdict(Figure))
    groups: dict[Any, Figure] = field(default_factory=lambda: defaultdict(Figure))
    classes: list[ClassFigure] = field(default_factory=list)
    unpriced_models: list[str] = field(default_factory=list)
    # Requests that have no price for a reason other than their model, by reason.
    unpriced_requests: Counter[UnpricedReason] = field(default_factory=Counter)
    # USD that advisors' tokens cost.
    advisor: Decimal = ZERO
    # Batches that send requests of earlier ones again, and USD that they cost.
    retries: int = 0
    retried: Decimal = ZERO
    # Batches that an older version of Batchboard read, and how many of them can be read again.
    outdated: int = 0
    rereadable: int = 0


def compute_spend(question: Question) -> Spend:
    """Everything that the spend page shows about a period, in at most eight queries."""
    period, answer = question.period, Spend()
    both = Period(period.before.since, period.until)
    # In the order of the index, so the database need not sort.
    columns = ["workspace_id", "day", *PRICED_BY, "part"]
    if question.group == "canceled":
        columns.append("is_canceled")
    with localcontext(EXACT):
        rows = list(sum_usage(question.usage(both), columns))
        current = [row for row in rows if row.by["day"] in period]
        starts = _starts(current, period)
        for row in rows:
            _add(question, answer, row)
        answer.retries, answer.retried = _retries(question, columns)
        for row in _grouped(question, current, starts):
            answer.groups[row.by[COLUMNS[question.group]]].add(row)
    answer.classes = by_class(current)
    answer.advisor = sum((row.cost for row in current if row.by["part"] == ADVISOR), ZERO)
    _count(question, answer, both, [row for row in current if row.rates is None], starts)
    return answer


def _retries(question: Question, columns: Sequence[str]) -> tuple[int, Decimal]:
    """How many batches of the period retry others, and what they cost."""
    batches = resubmissions(question.batches(question.period))
    if not (count := batches.count()):
        return 0, ZERO
    usage = question.usage(question.period).filter(batch__in=batches.values("pk"))
    return count, sum((row.cost for row in sum_usage(usage, columns)), ZERO)


def _add(question: Question, answer: Spend, row: PricedUsage) -> None:
    day, series = row.by["day"], row.by[COLUMNS[question.stack]]
    if day not in question.period:
        answer.before.add(row)
        return
    for figure in (
        answer.total,
        answer.days[day],
        answer.series[series],
        answer.cells[day, series],
    ):
        figure.add(row)


def _grouped(
    question: Question, current: list[PricedUsage], starts: Sequence[date]
) -> Iterable[PricedUsage]:
    """Usage that has the column of the groups: `current`, unless that is the label or owner."""
    if question.group not in {"label", "owner"}:
        return current
    # Grouping by fewer columns and summing fewer classes saves a third of the page's time: columns
    # with one value, unused classes, and days between changes of price.
    values = {name: {row.by[name] for row in current} for name in PRICED_BY}
    shared = {name: next(iter(found)) for name, found in values.items() if len(found) == 1}
    classes = {
        name for row in current for name, used in zip(CLASSES, row.quantities, strict=True) if used
    }
    usage = question.usage(question.period).filter(**shared)
    columns = [question.group, *(name for name in PRICED_BY if name not in shared)]
    if len(starts) == 1:
        return sum_usage(usage, columns, shared={**shared, "day": starts[0]}, classes=classes)
    usage = usage.annotate(since=_latest(starts))
    return sum_usage(usage, [*columns, "since"], shared=shared, starts=starts, classes=classes)


def _starts(rows: list[PricedUsage], period: Period) -> list[date]:
    """The period's first day, and the days on which the price of a model in the rows changes."""
    table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
    models = {row.by["model"] for row in rows}
    models |= {model_name(model) for model in models}
    changes = {
        price.effective_from
        for price in table.prices
        if price.model in models and price.effective_from in period
    }
    return sorted({period.since, *changes})


def _latest(starts: Sequence[date]) -> Case:
    """For each usage row, the index of the last start that is not after its day."""
    numbered = reversed(list(enumerate(starts)))
    return Case(
        *(When(day__gte=start, then=Value(number)) for number, start in numbered),
        output_field=IntegerField(),
    )


def _count(
    question: Question,
    answer: Spend,
    both: Period,
    unpriced: list[PricedUsage],
    starts: Sequence[date],
) -> None:
    """Add to each figure the batches that it includes, and those that are missing."""
    answer.total.read, groups = count_read(question)
    for group, batches in groups.items():
        answer.groups[group].read = batches
    for kind, day, group, batches in count_unread(question, both):
        if kind == "outdated":
            answer.outdated += batches if day in question.period else 0
            continue
        if day not in question.period:
            answer.before.missing[kind] += batches
            continue
        for figure in (answer.total, answer.days[day], answer.groups[group]):
            figure.missing[kind] += batches
    if answer.outdated:
        rereadable = question.batches(question.period) & outdated(clock.now())
        answer.rereadable = rereadable.order_by().count()
    if unpriced:
        _explain(answer, unpriced)
        days, unpriced_groups = count_unpriced(question, unpriced, starts)
        answer.total.missing["unpriced"] = sum(days.values())
        for day, batches in days.items():
            answer.days[day].missing["unpriced"] = batches
        for group, batches in unpriced_groups.items():
            answer.groups[group].missing["unpriced"] = batches


def _explain(answer: Spend, unpriced: Iterable[PricedUsage]) -> None:
    """Add why rows have no price: a price can be added for a model, but not for other reasons."""
    models = set()
    for row in unpriced:
        reason = why_unpriced(row.by)
        if reason.lacks == "model":
            models.add(reason.word)
        else:
            answer.unpriced_requests[reason] += row.requests
    answer.unpriced_models = sorted(models)


def lost_next(workspaces: Sequence[Workspace], now: datetime) -> BatchQuerySet:
    """Ended batches whose results are unread and expire within EXPIRING_WITHIN; oldest first."""
    begin = now - RESULTS_KEPT
    batches = unread().filter(workspace__in=[workspace.pk for workspace in workspaces])
    expiring = batches.filter(created_at__gt=begin, created_at__lte=begin + EXPIRING_WITHIN)
    return expiring.without_twins(workspaces)


def first_day(workspaces: Sequence[Workspace]) -> date | None:
    """The UTC day on which the oldest of their batches was created; None if they have none."""
    oldest = Batch.objects.filter(workspace=OuterRef("pk")).order_by("created_at")
    firsts = (
        Workspace.objects.filter(pk__in=[workspace.pk for workspace in workspaces])
        # An index has the oldest batch of one workspace, but not of several.
        .annotate(first=Subquery(oldest.values("created_at")[:1]))
        .values_list("first", flat=True)
    )
    known = [first for first in firsts if first]
    return min(known).astimezone(UTC).date() if known else None
