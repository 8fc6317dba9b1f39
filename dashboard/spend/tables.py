"""The spend page's rows: one for each series, day, group and token class, with its links.

The page and the CSVs are built from the same rows, so that they cannot differ.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import add
from typing import Any

from batches.models import Workspace
from batches.reports.reconcile import Comparison
from batches.spend.figures import ClassFigure, Figure
from batches.spend.totals import Spend
from dashboard.amount import Amount, shares
from dashboard.cost_words import off_tier_words, reason_words
from dashboard.query_form import NO_VALUE
from dashboard.spend.address import ALL_GROUPS, Selection
from dashboard.spend.amounts import Grid, PageTotals, class_amounts, group_amounts
from dashboard.spend.chart import Chart, Column, SeriesCost, draw
from dashboard.spend.not_included import NotIncluded, not_included
from dashboard.spend.reported import ReportedCell, ReportedColumn, reported_column
from dashboard.words import LEAST_COMPARED, percent_change

# With more keys, the last series of the chart, and the last column of the table, is "n others".
MOST_SERIES = 6
MOST_COLUMNS = 5
OTHERS = "others"
CLASS_WORDS = {
    "input_tokens": "Input",
    "output_tokens": "Output, thinking included",
    "cache_write_5m_tokens": "Cache write, 5 minutes",
    "cache_write_1h_tokens": "Cache write, 1 hour",
    "cache_read_tokens": "Cache read",
    "web_searches": "Web searches",
}


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One color of the chart; several models or workspaces may share the last one."""

    # Names its color and pattern: its number, or OTHERS.
    mark: str
    name: str
    keys: frozenset[Any]
    # As addresses write it; empty where several share a color.
    value: str
    href: str
    amount: Amount
    share: str = ""


@dataclass(frozen=True, slots=True)
class DayCell:
    series: ChartSeries
    # In US dollars: exact, and as shown.
    cost: Decimal
    amount: Amount
    href: str


@dataclass(frozen=True, slots=True)
class DayRow:
    day: date
    href: str
    # One for each series of the chart, and one for each column of the table.
    cells: tuple[DayCell, ...]
    columns: tuple[DayCell, ...]
    figure: Figure
    amount: Amount
    not_included: tuple[NotIncluded, ...]
    is_today: bool

    @property
    def is_open(self) -> bool:
        """Its figure may still grow."""
        return self.is_today or not self.figure.is_whole


@dataclass(frozen=True, slots=True)
class GroupRow:
    name: str
    # The page for this group alone, and the list of its batches; empty where no address exists.
    href: str
    batches_href: str
    figure: Figure
    cost: Amount
    saving: Amount
    # Percent of the total, exact and as shown; None and empty where the cost is unknown.
    share: Decimal | None
    share_words: str
    not_included: tuple[NotIncluded, ...]
    # What Anthropic reports for it; None unless the groups are workspaces that can be compared.
    reported: ReportedCell | None = None


@dataclass(frozen=True, slots=True)
class ClassRow:
    words: str
    figure: ClassFigure
    amount: Amount


class SpendTables:
    """A period's figures as the page and the CSVs show them."""

    def __init__(
        self, selection: Selection, spend: Spend, comparison: Comparison | None = None
    ) -> None:
        self.selection = selection
        self.spend = spend
        self.total = spend.total
        self.before = spend.before
        self._workspaces = {workspace.pk: workspace for workspace in selection.workspaces}
        # By falling cost, as the page names them.
        self.series_keys = self._series_keys()
        series = folded(self.series_keys, MOST_SERIES)
        self.totals = PageTotals.of(spend)
        self._grid = Grid.of(spend, selection.period.days, series, self.totals.unit)
        self.series = self._series(series)
        self.columns = self._columns()
        self.reported = self._reported(comparison)
        self.days = [self._day(at, day) for at, day in enumerate(selection.period.days)]
        self.groups = self._groups()

    @property
    def not_included(self) -> tuple[NotIncluded, ...]:
        return self._not_included(self.total)

    @property
    def not_included_before(self) -> tuple[NotIncluded, ...]:
        """The same for the period before, except that models without a price are not counted."""
        before = self.selection.period.before
        return self._not_included(self.before, since=before.since, until=before.until)

    @property
    def unpriced_before(self) -> int:
        """Requests of the period before without a known price."""
        return self.before.requests - self.before.priced

    @property
    def has_open_days(self) -> bool:
        return any(row.is_open for row in self.days)

    @property
    def unpriced(self) -> list[tuple[str, str]]:
        """Each model without a price, and the batches that used it."""
        names = [self._named("model", model) for model in self.spend.unpriced_models]
        return [(name, self.selection.batches(model=value)) for name, value in names]

    @property
    def unpriced_batches(self) -> int | None:
        """The batches that used them; None if they can't be told from those of other reasons."""
        return None if self.spend.unpriced_requests else self.total.missing["unpriced"]

    @property
    def off_tier(self) -> str:
        """How many requests did not run at the batch tier, as text; empty for none."""
        return off_tier_words(self.total.off_tier)

    @property
    def unpriced_reasons(self) -> list[tuple[str, int]]:
        """Why requests have no price although their model has one, with the number of requests."""
        found = sorted(self.spend.unpriced_requests.items())
        return [(reason_words(reason), requests) for reason, requests in found]

    @property
    def not_rereadable(self) -> int:
        """Batches read by an older version that cannot be read again."""
        return self.spend.outdated - self.spend.rereadable

    @property
    def outdated_href(self) -> str:
        return self.selection.batches(results="outdated", model=None)

    @property
    def token_classes(self) -> list[ClassRow]:
        return self._classes[:-1]

    @property
    def searches(self) -> ClassRow:
        """Shown apart from the tokens: a search is not a token and not half price."""
        return self._classes[-1]

    @property
    def _classes(self) -> list[ClassRow]:
        pairs = zip(self.spend.classes, class_amounts(self.spend, self.totals), strict=True)
        return [ClassRow(CLASS_WORDS[figure.name], figure, amount) for figure, amount in pairs]

    @property
    def change(self) -> str:
        """The change from the period before, in percent; empty where they can't be compared."""
        if self.is_open or not self.before.is_whole or self.before.known < LEAST_COMPARED:
            return ""
        return percent_change(self.total.known, self.before.known)

    @property
    def is_open(self) -> bool:
        """The total may still grow: the period is not over, or its figures are not complete."""
        return not self.is_over or not self.total.is_whole

    @property
    def is_over(self) -> bool:
        return self.selection.period.until < self.selection.today

    def chart(self) -> Chart | None:
        return draw([self._column(row) for row in self.days])

    def chart_days(self) -> dict[str, Any]:
        """What the chart's card shows about each day, for its script."""
        return {
            "series": {series.mark: series.name for series in self.series},
            "days": [
                {
                    "name": f"{row.day:%a} {row.day.day} {row.day:%b %Y}",
                    "total": f"{row.amount}{' so far' if row.is_open else ''}",
                    "parts": [
                        (cell.series.mark, str(cell.amount)) for cell in row.cells if cell.cost
                    ],
                    "missing": missing_words(row),
                }
                for row in self.days
            ],
        }

    def _series_keys(self) -> list[Any]:
        figures = self.spend.series
        keys = [key for key in figures if figures[key].known]
        return sorted(keys, key=lambda key: (-figures[key].known, self.series_name(key)))

    def series_name(self, key: Any) -> str:
        return self._named(self.selection.stack, key)[0]

    def _series(self, series: list[frozenset[Any]]) -> list[ChartSeries]:
        costs = [amount.exact or Decimal(0) for amount in self._grid.series]
        words = zip(self._grid.series, shares(costs, self.total.known), strict=True)
        return [
            self._one_series(str(number), keys, amount, share)
            for number, (keys, (amount, share)) in enumerate(
                zip(series, words, strict=True), start=1
            )
        ]

    def _one_series(
        self, number: str, keys: frozenset[Any], amount: Amount, share: str
    ) -> ChartSeries:
        if len(keys) > 1:
            return self._others(keys, amount, share)
        [key] = keys
        name, value = self._named(self.selection.stack, key)
        href = self.selection.address(**{self.selection.stack: value})
        return ChartSeries(number, name, keys, value, href, amount, share)

    def _others(self, keys: frozenset[Any], amount: Amount, share: str = "") -> ChartSeries:
        """Several keys as one series. Its link leads to the table that lists them."""
        listed = self.selection.address(group=self.selection.stack, groups=ALL_GROUPS)
        return ChartSeries(
            OTHERS, f"{len(keys)} others", keys, "", f"{listed}#by-group", amount, share
        )

    def _columns(self) -> list[ChartSeries]:
        """The series, of which the table combines those beyond MOST_COLUMNS."""
        if len(self.series) <= MOST_COLUMNS:
            return self.series
        others = self.series[MOST_COLUMNS - 1 :]
        keys = frozenset[Any]().union(*(each.keys for each in others))
        amount = reduce(add, (each.amount for each in others))
        return [*self.series[: MOST_COLUMNS - 1], self._others(keys, amount)]

    def _day(self, at: int, day: date) -> DayRow:
        figure = self.spend.days[day]
        pairs = zip(self.series, self._grid.cells[at], strict=True)
        cells = tuple(self._cell(day, series, amount) for series, amount in pairs)
        return DayRow(
            day,
            self.selection.address(since=day, until=day),
            cells,
            self._day_columns(day, cells),
            figure,
            self._grid.days[at],
            self._not_included(figure, since=day, until=day),
            is_today=day == self.selection.today,
        )

    def _day_columns(self, day: date, cells: tuple[DayCell, ...]) -> tuple[DayCell, ...]:
        if len(cells) <= MOST_COLUMNS:
            return cells
        own = len(self.columns) - 1
        amount = reduce(add, (cell.amount for cell in cells[own:]))
        return (*cells[:own], self._cell(day, self.columns[own], amount))

    def _cell(self, day: date, series: ChartSeries, amount: Amount) -> DayCell:
        narrowed = {self.selection.stack: series.value} if series.value else {}
        href = self.selection.address(since=day, until=day, **narrowed)
        return DayCell(series, amount.exact or Decimal(0), amount, href)

    def _column(self, row: DayRow) -> Column:
        costs = [SeriesCost(cell.series.mark, cell.cost) for cell in row.cells if cell.cost]
        return Column(row.day, day_words(row), row.href, row.is_open, costs)

    def _reported(self, comparison: Comparison | None) -> ReportedColumn | None:
        """Only by workspace, and without the filters that Anthropic's report doesn't have."""
        by = self.selection.group
        if comparison is None or by != "workspace" or self.selection.has_more_filters:
            return None
        return reported_column(comparison, [self._workspaces[key] for key in self.spend.groups])

    def _groups(self) -> list[GroupRow]:
        figures = self.spend.groups
        costs = [figure.known for figure in figures.values()]
        words = dict(zip(figures, shares(costs, self.total.known), strict=True))
        is_stacked_by_group = self.selection.group == self.selection.stack
        series = {each.keys: each.amount for each in self.series} if is_stacked_by_group else {}
        amounts = group_amounts(figures, self.totals, series)
        rows = [self._group(key, *amounts[key], words[key]) for key in figures]
        return sorted(rows, key=lambda row: (-row.figure.known, -row.figure.batches, row.name))

    def _group(self, key: Any, cost: Amount, saving: Amount, share: str) -> GroupRow:
        by, figure = self.selection.group, self.spend.groups[key]
        is_known_model = by != "model" or key is not None
        name, value = self._named(by, key) if is_known_model else ("Not known yet", "")
        narrowed = {by: value} if is_known_model else {}
        has_share = figure.cost is not None and bool(self.total.known)
        return GroupRow(
            name,
            self.selection.address(**narrowed, group=self.selection.next_group) if narrowed else "",
            self.selection.batches(**narrowed) if narrowed else "",
            figure,
            cost,
            saving,
            100 * figure.known / self.total.known if has_share else None,
            share if has_share else "",
            self._not_included(figure, **narrowed),
            self.reported.cells[key] if self.reported else None,
        )

    def _named(self, by: str, key: Any) -> tuple[str, str]:
        """How pages, and how addresses, write the value of a column."""
        match by:
            case "workspace":
                workspace: Workspace = self._workspaces[key]
                return workspace.name, workspace.slug
            case "canceled":
                return ("Canceled", "yes") if key else ("Not canceled", "no")
        return (key, key) if key else (f"without {'an' if by == 'owner' else 'a'} {by}", NO_VALUE)

    def _not_included(self, figure: Figure, **narrowed: Any) -> tuple[NotIncluded, ...]:
        return not_included(self.selection, self.spend, figure, **narrowed)


def folded(keys: list[Any], most: int) -> list[frozenset[Any]]:
    """The keys of each of at most `most` series, of which the last combines the remaining keys."""
    single = keys if len(keys) <= most else keys[: most - 1]
    rest = frozenset(keys[len(single) :])
    return [frozenset([key]) for key in single] + ([rest] if rest else [])


def day_words(row: DayRow) -> str:
    """All that a day's bar shows, for screen readers."""
    so_far = " so far" if row.is_open else ""
    parts = [f"{row.day.day} {row.day:%b}: {row.amount}{so_far}"]
    parts += [f"{cell.series.name} {cell.amount}" for cell in row.cells if cell.cost]
    if row.not_included:
        parts.append(f"not included: {missing_words(row)}")
    return "; ".join(parts)


def missing_words(row: DayRow) -> str:
    return " · ".join(f"{each.count:,} {each.words}" for each in row.not_included)
