"""The spend page's rows: one for each series, day, group and token class, with its links.

The page and the CSVs are made of the same rows, so that they cannot differ.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

from batches.models import Workspace
from batches.spend.figures import ClassFigure, Figure
from batches.spend.totals import Spend
from dashboard.amount import Amount, shares
from dashboard.cost_words import off_tier_words, reason_words
from dashboard.query_form import NO_VALUE
from dashboard.spend.address import Spending
from dashboard.spend.amounts import Grid, Totals, class_amounts, group_amounts
from dashboard.spend.chart import Chart, Column, Part, draw
from dashboard.words import percent_change

MOST_SERIES = 8
# US dollars. A percentage of less says nothing.
LEAST_COMPARED = 1
MISSING_WORDS = {
    "running": "running",
    "unread": "not read yet",
    "unreadable": "unreadable",
    "lost": "lost",
    "incomplete": "read in part",
    "unpriced": "with an unpriced model",
}
CLASS_WORDS = {
    "input_tokens": "Input",
    "output_tokens": "Output, thinking included",
    "cache_write_5m_tokens": "Cache write, 5 minutes",
    "cache_write_1h_tokens": "Cache write, 1 hour",
    "cache_read_tokens": "Cache read",
    "web_searches": "Web searches",
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """So many batches that are not in a figure, and the list of them; no link where none has it."""

    kind: str
    count: int
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the chart; the last may stand for all that have no colour of their own."""

    number: int
    name: str
    keys: frozenset[Any]
    # What the address calls it; empty for the rest.
    value: str
    href: str
    amount: Amount
    share: str


@dataclass(frozen=True, slots=True)
class Cell:
    series: Series
    # Exact, in US dollars; and as it is shown.
    cost: Decimal
    amount: Amount
    href: str


@dataclass(frozen=True, slots=True)
class DayRow:
    day: date
    href: str
    cells: tuple[Cell, ...]
    figure: Figure
    amount: Amount
    left_out: tuple[LeftOut, ...]
    is_today: bool

    @property
    def is_open(self) -> bool:
        """Its figure may still grow."""
        return self.is_today or not self.figure.is_whole


@dataclass(frozen=True, slots=True)
class GroupRow:
    name: str
    # The page narrowed down to it, and its batches; empty where no address can say it.
    href: str
    batches_href: str
    figure: Figure
    cost: Amount
    saving: Amount
    # In percent of the total, exact and as it is shown; none where the cost is unknown.
    share: Decimal | None
    share_words: str
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class ClassRow:
    words: str
    figure: ClassFigure
    amount: Amount


class Tables:
    """A period's figures as the page and the CSVs have them."""

    def __init__(self, asked: Spending, answer: Spend) -> None:
        self.asked = asked
        self.answer = answer
        self.total = answer.total
        self.before = answer.before
        self._workspaces = {workspace.pk: workspace for workspace in asked.workspaces}
        series = self._series_keys()
        self.totals = Totals.of(answer)
        self._grid = Grid.of(answer, asked.period.days, series, self.totals.unit)
        self.series = self._series(series)
        self.days = [self._day(at, day) for at, day in enumerate(asked.period.days)]
        self.groups = self._groups()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return self._left_out(self.total)

    @property
    def left_out_before(self) -> tuple[LeftOut, ...]:
        """The same of the period before, but for models without a price: they are not counted."""
        before = self.asked.period.before
        return self._left_out(self.before, since=before.since, until=before.until)

    @property
    def unpriced_before(self) -> int:
        """Requests of the period before that no price is known for."""
        return self.before.requests - self.before.priced

    @property
    def has_open_days(self) -> bool:
        return any(row.is_open for row in self.days)

    @property
    def unpriced(self) -> list[tuple[str, str]]:
        """Each model without a price, and the batches that used it."""
        names = [self._named("model", model) for model in self.answer.unpriced_models]
        return [(name, self.asked.batches(model=value)) for name, value in names]

    @property
    def off_tier(self) -> str:
        """How many requests did not run at the batch tier, in words; empty for none."""
        return off_tier_words(self.total.off_tier)

    @property
    def unpriced_reasons(self) -> list[tuple[str, int]]:
        """Why requests have no price though their model has one, and how many they are."""
        found = sorted(self.answer.unpriced_requests.items())
        return [(reason_words(reason), requests) for reason, requests in found]

    @property
    def unrereadable(self) -> int:
        """Batches read by an older version whose results are gone."""
        return self.answer.outdated - self.answer.rereadable

    @property
    def outdated_href(self) -> str:
        return self.asked.batches(results="outdated", model=None)

    @property
    def token_classes(self) -> list[ClassRow]:
        return self._classes[:-1]

    @property
    def searches(self) -> ClassRow:
        """Apart from the tokens, as they are neither tokens nor halved."""
        return self._classes[-1]

    @property
    def _classes(self) -> list[ClassRow]:
        pairs = zip(self.answer.classes, class_amounts(self.answer, self.totals), strict=True)
        return [ClassRow(CLASS_WORDS[figure.name], figure, amount) for figure, amount in pairs]

    @property
    def change(self) -> str:
        """Against the period before, in percent; empty where the two can't be compared."""
        if self.is_open or not self.before.is_whole or self.before.known < LEAST_COMPARED:
            return ""
        return percent_change(self.total.known, self.before.known)

    @property
    def is_open(self) -> bool:
        """More may come: the period is not over, or something is missing from its figures."""
        return not self.is_over or not self.total.is_whole

    @property
    def is_over(self) -> bool:
        return self.asked.period.until < self.asked.today

    def chart(self) -> Chart | None:
        return draw([self._column(row) for row in self.days])

    def _series_keys(self) -> list[frozenset[Any]]:
        """The keys of each series, those that cost most first, and all that are left together."""
        figures = self.answer.series
        keys = [key for key in figures if figures[key].known]
        keys.sort(key=lambda key: (-figures[key].known, str(self._named(self.asked.stack, key))))
        # Where one more would need a colour of its own, the last colour is the rest's.
        single = keys if len(keys) <= MOST_SERIES else keys[: MOST_SERIES - 1]
        rest = frozenset(keys[len(single) :])
        return [frozenset([key]) for key in single] + ([rest] if rest else [])

    def _series(self, series: list[frozenset[Any]]) -> list[Series]:
        costs = [amount.exact or Decimal(0) for amount in self._grid.series]
        words = zip(self._grid.series, shares(costs, self.total.known), strict=True)
        return [
            self._one_series(number, keys, amount, share)
            for number, (keys, (amount, share)) in enumerate(
                zip(series, words, strict=True), start=1
            )
        ]

    def _one_series(self, number: int, keys: frozenset[Any], amount: Amount, share: str) -> Series:
        if len(keys) > 1:
            return Series(number, f"{len(keys)} others", keys, "", "", amount, share)
        [key] = keys
        name, value = self._named(self.asked.stack, key)
        href = self.asked.address(**{self.asked.stack: value})
        return Series(number, name, keys, value, href, amount, share)

    def _day(self, at: int, day: date) -> DayRow:
        figure = self.answer.days[day]
        cells = zip(self.series, self._grid.cells[at], strict=True)
        return DayRow(
            day,
            self.asked.address(since=day, until=day),
            tuple(self._cell(day, series, amount) for series, amount in cells),
            figure,
            self._grid.days[at],
            self._left_out(figure, since=day, until=day),
            is_today=day == self.asked.today,
        )

    def _cell(self, day: date, series: Series, amount: Amount) -> Cell:
        narrowed = {self.asked.stack: series.value} if series.value else {}
        href = self.asked.address(since=day, until=day, **narrowed)
        return Cell(series, amount.exact or Decimal(0), amount, href)

    def _column(self, row: DayRow) -> Column:
        name = f"{row.day.day} {row.day:%b}"
        so_far = " so far" if row.is_open else ""
        parts = [
            Part(
                cell.series.number,
                cell.cost,
                f"{name}, {cell.series.name}: {cell.amount}",
                cell.href,
            )
            for cell in row.cells
            if cell.cost
        ]
        return Column(row.day, f"{name}: {row.amount}{so_far}", row.href, row.is_open, parts)

    def _groups(self) -> list[GroupRow]:
        figures = self.answer.groups
        costs = [figure.known for figure in figures.values()]
        words = dict(zip(figures, shares(costs, self.total.known), strict=True))
        is_stacked_alike = self.asked.group == self.asked.stack
        series = {each.keys: each.amount for each in self.series} if is_stacked_alike else {}
        amounts = group_amounts(figures, self.totals, series)
        rows = [self._group(key, *amounts[key], words[key]) for key in figures]
        return sorted(rows, key=lambda row: (-row.figure.known, -row.figure.batches, row.name))

    def _group(self, key: Any, cost: Amount, saving: Amount, share: str) -> GroupRow:
        by, figure = self.asked.group, self.answer.groups[key]
        is_known_model = by != "model" or key is not None
        name, value = self._named(by, key) if is_known_model else ("Not known yet", "")
        narrowed = {by: value} if is_known_model else {}
        has_share = figure.cost is not None and bool(self.total.known)
        return GroupRow(
            name,
            self.asked.address(**narrowed, group=self.asked.next_group) if narrowed else "",
            self.asked.batches(**narrowed) if narrowed else "",
            figure,
            cost,
            saving,
            100 * figure.known / self.total.known if has_share else None,
            share if has_share else "",
            self._left_out(figure, **narrowed),
        )

    def _named(self, by: str, key: Any) -> tuple[str, str]:
        """What people, and what addresses, call the value of a column."""
        match by:
            case "workspace":
                workspace: Workspace = self._workspaces[key]
                return workspace.name, workspace.slug
            case "canceled":
                return ("Canceled", "yes") if key else ("Not canceled", "no")
        return (key, key) if key else (f"without {'an' if by == 'owner' else 'a'} {by}", NO_VALUE)

    def _left_out(self, figure: Figure, **narrowed: Any) -> tuple[LeftOut, ...]:
        return tuple(
            LeftOut(kind, count, self._left_out_words(kind), self._left_out_href(kind, narrowed))
            for kind, count in figure.missing_by_kind
        )

    def _left_out_words(self, kind: str) -> str:
        if kind == "unpriced" and self.answer.unpriced_requests:
            return "with unpriced requests"
        return MISSING_WORDS[kind]

    def _left_out_href(self, kind: str, narrowed: dict[str, Any]) -> str:
        if kind == "unpriced":
            if len(self.answer.unpriced_models) == 1 and "model" not in narrowed:
                narrowed = narrowed | {"model": self.answer.unpriced_models[0] or NO_VALUE}
            return self.asked.batches(**narrowed) if "model" in narrowed else ""
        # Nobody knows the models of what has not been read.
        narrowed = narrowed | {"model": None}
        if kind == "running":
            return self.asked.batches(status="active", **narrowed)
        return self.asked.batches(results={"unread": "pending"}.get(kind, kind), **narrowed)


@dataclass(frozen=True, slots=True)
class Folded:
    """What the rows that are not shown come to."""

    count: int
    figure: Figure
    cost: Amount
    saving: Amount


def folded(rows: list[GroupRow], most: int) -> tuple[list[GroupRow], Folded | None]:
    """The first so many, and the others in one; None where there are no others."""
    shown, others = rows[:most], rows[most:]
    if not others:
        return shown, None
    figure = Figure()
    for row in others:
        figure.include(row.figure)
    return shown, Folded(
        len(others),
        figure,
        reduce(add, (row.cost for row in others)),
        reduce(add, (row.saving for row in others)),
    )
