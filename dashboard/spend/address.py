"""What the spend page's address selects, and the addresses that its links lead to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from batches.models import Workspace
from batches.period import Period
from batches.spend.question import Question
from dashboard.query_form import (
    IGNORED,
    WorkspaceQueryForm,
    choice_field,
    day_field,
    exactly,
    stored_text,
    text_field,
)
from dashboard.spend.months import EARLIEST, UnknownMonth, month_of, read_month, so_far

LONGEST_DAYS = 366
# The value of `groups` that shows the groups that the page otherwise folds.
ALL_GROUPS = "all"
GROUPS = {
    "workspace": "Workspace",
    "model": "Model",
    "label": "Label",
    "owner": "Owner",
    "canceled": "Canceled",
}
STACKS = {"model": "Model", "workspace": "Workspace"}
# The values that choose the period.
DAYS = frozenset({"month", "since", "until"})
# The filters that the page folds away under "More filters".
FOLDED_FILTERS = ("model", "label", "owner", "canceled")
# All filters but the days.
SPEND_FILTERS = ("workspace", *FOLDED_FILTERS)


class SpendForm(WorkspaceQueryForm):
    titles = {
        "month": "Month",
        "since": "Since",
        "until": "Until",
        "group": "Grouping",
        "stack": "Stack",
        "groups": "Groups",
        **GROUPS,
    }

    month = text_field()
    since = day_field()
    until = day_field()
    group = choice_field(*GROUPS)
    stack = choice_field(*STACKS)
    groups = choice_field(ALL_GROUPS)
    model = text_field()
    label = text_field()
    owner = text_field()
    canceled = choice_field("yes", "no")


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A link to a period that people often want."""

    title: str
    href: str
    is_current: bool


@dataclass(slots=True)
class Selection:
    """What the page's address selects for one person: workspaces, period, filters and grouping."""

    # All that the person may see.
    workspaces: list[Workspace]
    # The valid values of the address.
    chosen: Mapping[str, Any]
    period: Period
    today: date
    # Sentences about the values of the address that are not valid.
    problems: list[str] = field(default_factory=list)
    # Other sentences about the period.
    notes: list[str] = field(default_factory=list)

    @property
    def group(self) -> Any:
        return self.chosen.get("group", "workspace")

    @property
    def stack(self) -> Any:
        return self.chosen.get("stack", "model")

    @property
    def shows_all_groups(self) -> bool:
        return "groups" in self.chosen

    @property
    def given(self) -> dict[str, str]:
        """Every value as the form's fields show it, empty if none was chosen."""
        values = {name: str(self.chosen.get(name, "")) for name in SpendForm.titles}
        return values | {"since": str(self.period.since), "until": str(self.period.until)}

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The names and values that choosing another month keeps."""
        names = [name for name in SpendForm.titles if name not in DAYS]
        return [(name, str(self.chosen[name])) for name in names if name in self.chosen]

    @property
    def last_month(self) -> Period:
        """The whole month of the period's last day."""
        return month_of(self.period.until)

    @property
    def is_month(self) -> bool:
        """Whether the period is a whole month, or all of the present one up to today."""
        return self.period == so_far(self.last_month, self.today)

    @property
    def period_words(self) -> str:
        return days_in_words(self.period)

    @property
    def before_words(self) -> str:
        return days_in_words(self.period.before)

    @property
    def is_narrowed(self) -> bool:
        return any(name in self.chosen for name in SPEND_FILTERS)

    @property
    def has_more_filters(self) -> bool:
        """Whether a filter is set that the page folds away."""
        return any(name in self.chosen for name in FOLDED_FILTERS)

    @property
    def filter_words(self) -> list[tuple[str, str]]:
        """The title and value of each filter but the workspace, for the head of a printed page."""
        return [
            (GROUPS[name], str(self.chosen[name])) for name in FOLDED_FILTERS if name in self.chosen
        ]

    @property
    def selected_workspaces(self) -> list[Workspace]:
        """The workspaces that match the filter."""
        slug = self.chosen.get("workspace")
        return [each for each in self.workspaces if not slug or each.slug == slug]

    @property
    def question(self) -> Question:
        canceled = self.chosen.get("canceled")
        return Question(
            workspaces=[workspace.pk for workspace in self.selected_workspaces],
            period=self.period,
            group=self.group,
            stack=self.stack,
            model=self._text("model"),
            label=self._text("label"),
            owner=self._text("owner"),
            is_canceled=None if canceled is None else canceled == "yes",
            has_twins=any(workspace.has_twins for workspace in self.selected_workspaces),
        )

    def _text(self, name: str) -> str | None:
        text = self.chosen.get(name)
        return None if text is None else stored_text(text)

    def address(self, view: str = "spend", /, **changes: Any) -> str:
        """This page or its CSV with some values changed; None removes a value."""
        values = {name: self.chosen.get(name) for name in SpendForm.titles}
        if DAYS.intersection(changes):
            # A month and days exclude each other.
            values |= dict.fromkeys(DAYS)
        return _link(view, values | changes)

    def batches(self, **changes: Any) -> str:
        """The list of the batches behind the figures, with some filters changed."""
        values = {name: self.chosen.get(name) for name in SPEND_FILTERS}
        values |= {"since": self.period.since, "until": self.period.until} | changes
        for name in ("model", "label", "owner"):
            if (text := values[name]) is not None:
                values[name] = exactly(stored_text(text))
        return _link("batch-list", values)

    @property
    def unfiltered(self) -> str:
        """The same period, group and stack without any filter."""
        return self.address(**dict.fromkeys(SPEND_FILTERS))

    @property
    def next_group(self) -> str:
        """What to group by after one of the current groups has been chosen."""
        others = [name for name in GROUPS if name != self.group and name not in self.chosen]
        if len(self.workspaces) == 1 and "workspace" in others:
            others.remove("workspace")
        return others[0] if others else str(self.group)

    @property
    def shortcuts(self) -> list[Shortcut]:
        first_month = month_of(self.today)
        periods = {
            "This month": so_far(first_month, self.today),
            "Last month": first_month.before,
            "Last 7 days": Period.ending(self.today, days=7),
            "Last 30 days": Period.ending(self.today, days=30),
        }
        return [
            Shortcut(
                title,
                self.address(since=None, until=None)
                if title == "This month"
                else self.address(since=period.since, until=period.until),
                period == self.period,
            )
            for title, period in periods.items()
        ]


def read_selection(query: QueryDict, workspaces: list[Workspace], today: date) -> Selection:
    """Read the address. A value that is not valid is ignored and named in `problems`."""
    form = SpendForm(query, workspaces)
    chosen = form.chosen()
    problems, notes = form.sentences(), list[str]()
    month = _month(chosen, today, problems)
    period = month or _period(chosen, today, problems, notes)
    # Links repeat the days that the figures cover, not those that were given.
    if "since" in chosen or "until" in chosen:
        chosen |= {"since": period.since, "until": period.until}
    return Selection(workspaces, chosen, period, today, problems, notes)


def _month(chosen: dict[str, Any], today: date, problems: list[str]) -> Period | None:
    """The days of the chosen month up to today; None if no valid one was chosen."""
    if "month" not in chosen:
        return None
    try:
        month = so_far(read_month(chosen["month"], today), today)
    except UnknownMonth as error:
        problems.append(f"{error}{IGNORED}")
        del chosen["month"]
        return None
    days = [name for name in ("since", "until") if chosen.pop(name, None)]
    if days:
        words = " and ".join(SpendForm.titles[name] for name in days)
        problems.append(f"{words}: a month was chosen, too.{IGNORED}")
    return month


def _period(chosen: dict[str, Any], today: date, problems: list[str], notes: list[str]) -> Period:
    """From the chosen days; without any, this month up to today."""
    until = chosen.get("until")
    if until and until < EARLIEST:
        problems.append(f"Until: {until} is before there were any batches.{IGNORED}")
        until = None
    if until and until > today:
        notes.append(f"Until: {until} is in the future. The figures end today.")
        until = today
    since = chosen.get("since")
    if since and since > (until or today):
        problems.append(f"Since: {since} is after the end, {until or today}.{IGNORED}")
        since = None
    until = until or today
    since = since or until.replace(day=1)
    longest = Period.ending(until, days=LONGEST_DAYS)
    if since < longest.since:
        problems.append(f"Since: {since} is more than {LONGEST_DAYS} days before the end.")
        notes.append(f"The figures begin on {longest.since}.")
        return longest
    return Period(since, until)


def _link(view: str, values: Mapping[str, Any]) -> str:
    given = {name: str(value) for name, value in values.items() if value is not None}
    path = _path(view)
    return f"{path}?{urlencode(given)}" if given else path


@cache
def _path(view: str) -> str:
    """Cached, because a page has hundreds of links to two views."""
    return reverse(view)


def days_in_words(period: Period) -> str:
    """Both ends, with month and year once where they are the same."""
    since, until = period.since, period.until
    end = f"{until.day} {until:%b %Y}"
    if since == until:
        return end
    if (since.year, since.month) == (until.year, until.month):
        return f"{since.day}–{end}"
    year = "" if since.year == until.year else f" {since.year}"
    return f"{since.day} {since:%b}{year} – {end}"
