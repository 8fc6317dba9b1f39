"""What batches cost in a period: by day, workspace, model, label, owner, canceled or not.

A batch's spend falls on the UTC day on which it was created. All of it is computed from usage
rows when asked for; nothing is kept, so that no figure can be out of date.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from django.conf import settings
from django.db.models import Case, IntegerField, Value, When

from batches import clock
from batches.models import BatchQuerySet, BatchUsage, Workspace
from batches.models.batch import RESULTS_KEPT
from batches.models.usage import PRICED_BY
from batches.period import Period
from batches.pricing import PriceTable, model_name
from batches.results.reading import outdated, unread
from batches.spend.costs import UnpricedReason, why_unpriced
from batches.spend.counting import count_read, count_unpriced, count_unread
from batches.spend.figures import DIGITS, ClassFigure, Figure, by_class
from batches.spend.question import COLUMNS, Question
from batches.spend.summing import CLASSES, ZERO, PricedUsage, sums

ADVISOR = BatchUsage.Part.ADVISOR
LOST_SOON = timedelta(days=3)


@dataclass(slots=True)
class Spend:
    """A period's figures. Groups and series are keyed by the value of their column.

    Grouped by model, the batches that have not been read stand under the key None: nobody knows
    which models they used.
    """

    total: Figure = field(default_factory=Figure)
    # The same of as many days right before; its batches that were read are not counted.
    before: Figure = field(default_factory=Figure)
    days: dict[date, Figure] = field(default_factory=lambda: defaultdict(Figure))
    series: dict[Any, Figure] = field(default_factory=lambda: defaultdict(Figure))
    # By day and series.
    cells: dict[tuple[date, Any], Figure] = field(default_factory=lambda: defaultdict(Figure))
    groups: dict[Any, Figure] = field(default_factory=lambda: defaultdict(Figure))
    classes: list[ClassFigure] = field(default_factory=list)
    unpriced_models: list[str] = field(default_factory=list)
    # Requests without a price for another reason than their model, by that reason.
    unpriced_requests: Counter[UnpricedReason] = field(default_factory=Counter)
    # USD that advisors' tokens cost.
    advisor: Decimal = ZERO
    # Batches read by an older version, and those of them that can be read again.
    outdated: int = 0
    rereadable: int = 0


def spend(question: Question) -> Spend:
    """Everything that the spend page shows of a period, by at most six queries."""
    period, answer = question.period, Spend()
    both = Period(period.before.since, period.until)
    # In the order of the index, so that the database sums without sorting.
    columns = ["workspace_id", "day", *PRICED_BY, "part"]
    if question.group == "canceled":
        columns.append("is_canceled")
    with localcontext(prec=DIGITS):
        rows = list(sums(question.usage(both), columns))
        current = [row for row in rows if row.by["day"] in period]
        starts = _starts(current, period)
        for row in rows:
            _add(question, answer, row)
        for row in _grouped(question, current, starts):
            answer.groups[row.by[COLUMNS[question.group]]].add(row)
    answer.classes = by_class(current)
    answer.advisor = sum((row.cost for row in current if row.by["part"] == ADVISOR), ZERO)
    _count(question, answer, both, [row for row in current if row.rates is None], starts)
    return answer


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
    """Rows that tell the groups apart: those at hand, or others by label or owner."""
    if question.group not in {"label", "owner"}:
        return current
    # What need not be sorted by or carried along saves the page a third of its time: columns with
    # one value, classes of which nothing was used, and days at which no price changes.
    values = {name: {row.by[name] for row in current} for name in PRICED_BY}
    alike = {name: next(iter(found)) for name, found in values.items() if len(found) == 1}
    classes = {
        name for row in current for name, used in zip(CLASSES, row.quantities, strict=True) if used
    }
    usage = question.usage(question.period).filter(**alike)
    columns = [question.group, *(name for name in PRICED_BY if name not in alike)]
    if len(starts) == 1:
        return sums(usage, columns, alike={**alike, "day": starts[0]}, classes=classes)
    usage = usage.annotate(since=_latest(starts))
    return sums(usage, [*columns, "since"], alike=alike, starts=starts, classes=classes)


def _starts(rows: list[PricedUsage], period: Period) -> list[date]:
    """The period's first day, and those on which a price of a model in the rows changes."""
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
    """For each usage row the number of the last of the days that is not after its own."""
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
    """Put the batches beside the money: those that it is of, and those that it is not of."""
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
        found = question.batches(question.period) & outdated(clock.now())
        answer.rereadable = found.order_by().count()
    if unpriced:
        _explain(answer, unpriced)
        days, unpriced_groups = count_unpriced(question, unpriced, starts)
        answer.total.missing["unpriced"] = sum(days.values())
        for day, batches in days.items():
            answer.days[day].missing["unpriced"] = batches
        for group, batches in unpriced_groups.items():
            answer.groups[group].missing["unpriced"] = batches


def _explain(answer: Spend, unpriced: Iterable[PricedUsage]) -> None:
    """Say why rows have no price: an unknown model can be given one, other reasons can't."""
    models = set()
    for row in unpriced:
        reason = why_unpriced(row.by)
        if reason.lacks == "model":
            models.add(reason.word)
        else:
            answer.unpriced_requests[reason] += row.requests
    answer.unpriced_models = sorted(models)


def lost_next(workspaces: Sequence[Workspace], now: datetime) -> BatchQuerySet:
    """Ended batches that nobody has read and whose results end within 3 days; oldest first."""
    begin = now - RESULTS_KEPT
    mine = unread().filter(workspace__in=[workspace.pk for workspace in workspaces])
    soon = mine.filter(created_at__gt=begin, created_at__lte=begin + LOST_SOON)
    return soon.without_twins(workspaces)
