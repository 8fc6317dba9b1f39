"""The spend page's rows: one for each series, day, group and token class, with its links.

The page and the CSVs are made of the same rows, so that they cannot differ.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from batches.models import Workspace
from batches.spend.figures import ClassFigure, Figure
from batches.spend.totals import Spend
from dashboard.cost_words import off_tier_words, reason_words
from dashboard.query_form import NO_VALUE
from dashboard.spend.address import Spending
from dashboard.spend.chart import Chart, Column, Part, draw
from dashboard.templatetags.money import usd

MOST_SERIES = 8
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
    cost: Decimal
    share: Decimal | None


@dataclass(frozen=True, slots=True)
class Cell:
    series: Series
    cost: Decimal
    href: str


@dataclass(frozen=True, slots=True)
class DayRow:
    day: date
    href: str
    cells: tuple[Cell, ...]
    figure: Figure
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
    share: Decimal | None
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class ClassRow:
    words: str
    figure: ClassFigure


class Tables:
    """A period's figures as the page and the CSVs have them."""

    def __init__(self, asked: Spending, answer: Spend) -> None:
        self.asked = asked
        self.answer = answer
        self.total = answer.total
        self.before = answer.before
        self._workspaces = {workspace.pk: workspace for workspace in asked.workspaces}
        self.series = self._series()
        self.days = [self._day(day) for day in asked.period.days]
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
        return [ClassRow(CLASS_WORDS[each.name], each) for each in self.answer.classes]

    def chart(self) -> Chart | None:
        return draw([self._column(row) for row in self.days])

    def _series(self) -> list[Series]:
        figures = self.answer.series
        keys = [key for key in figures if figures[key].known]
        keys.sort(key=lambda key: (-figures[key].known, str(self._named(self.asked.stack, key))))
        # Where one more would need a colour of its own, the last colour is the rest's.
        single = keys if len(keys) <= MOST_SERIES else keys[: MOST_SERIES - 1]
        series = [self._one_series(number, key) for number, key in enumerate(single, start=1)]
        rest = frozenset(keys[len(single) :])
        if rest:
            cost = sum((figures[key].known for key in rest), Decimal(0))
            name = f"{len(rest)} others"
            series.append(Series(MOST_SERIES, name, rest, "", "", cost, self._share(cost)))
        return series

    def _one_series(self, number: int, key: Any) -> Series:
        cost = self.answer.series[key].known
        name, value = self._named(self.asked.stack, key)
        href = self.asked.address(**{self.asked.stack: value})
        return Series(number, name, frozenset([key]), value, href, cost, self._share(cost))

    def _day(self, day: date) -> DayRow:
        figure = self.answer.days[day]
        return DayRow(
            day,
            self.asked.address(since=day, until=day),
            tuple(self._cell(day, series) for series in self.series),
            figure,
            self._left_out(figure, since=day, until=day),
            is_today=day == self.asked.today,
        )

    def _cell(self, day: date, series: Series) -> Cell:
        cells = self.answer.cells
        found = [cells[day, key].known for key in series.keys if (day, key) in cells]
        narrowed = {self.asked.stack: series.value} if series.value else {}
        href = self.asked.address(since=day, until=day, **narrowed)
        return Cell(series, sum(found, Decimal(0)), href)

    def _column(self, row: DayRow) -> Column:
        name = f"{row.day.day} {row.day:%b}"
        so_far = " so far" if row.is_open else ""
        parts = [
            Part(
                cell.series.number,
                cell.cost,
                f"{name}, {cell.series.name}: {usd(cell.cost)}",
                cell.href,
            )
            for cell in row.cells
            if cell.cost
        ]
        return Column(
            row.day, f"{name}: {usd(row.figure.cost)}{so_far}", row.href, row.is_open, parts
        )

    def _groups(self) -> list[GroupRow]:
        rows = [self._group(key) for key in self.answer.groups]
        return sorted(rows, key=lambda row: (-row.figure.known, -row.figure.batches, row.name))

    def _group(self, key: Any) -> GroupRow:
        by, figure = self.asked.group, self.answer.groups[key]
        share = self._share(figure.known) if figure.cost is not None else None
        if by == "model" and key is None:
            left_out = self._left_out(figure)
            return GroupRow("Not known yet", "", "", figure, None, left_out)
        name, value = self._named(by, key)
        return GroupRow(
            name,
            self.asked.address(**{by: value, "group": self.asked.next_group}),
            self.asked.batches(**{by: value}),
            figure,
            share,
            self._left_out(figure, **{by: value}),
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

    def _share(self, cost: Decimal) -> Decimal | None:
        return 100 * cost / self.total.known if self.total.known else None

    def _left_out(self, figure: Figure, **narrowed: Any) -> tuple[LeftOut, ...]:
        return tuple(
            LeftOut(kind, count, self._left_out_words(kind), self._left_out_href(kind, narrowed))
            for kind, count in figure.left_out
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


def folded(rows: list[GroupRow], most: int) -> tuple[list[GroupRow], Figure, int]:
    """The first so many, what the rest come to in one figure, and how many they are."""
    rest = Figure()
    for row in rows[most:]:
        rest.include(row.figure)
    return rows[:most], rest, max(0, len(rows) - most)
