"""What the spend page's address asks for, and the addresses that its links lead to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from batches.models import Workspace
from batches.period import DAY, Period
from batches.spend.question import Question
from dashboard.query_form import (
    IGNORED,
    WorkspaceQueryForm,
    choice_field,
    day_field,
    stored_text,
    text_field,
)

LONGEST_DAYS = 366
# The API is younger than this.
EARLIEST = date(2024, 1, 1)
GROUPS = {
    "workspace": "Workspace",
    "model": "Model",
    "label": "Label",
    "owner": "Owner",
    "canceled": "Canceled",
}
STACKS = {"model": "Model", "workspace": "Workspace"}
# What narrows the figures down, the days apart.
FILTERS = ("workspace", "model", "label", "owner", "canceled")
TITLES = {
    "since": "Since",
    "until": "Until",
    "group": "Grouping",
    "stack": "Stack",
    **GROUPS,
}


class SpendForm(WorkspaceQueryForm):
    titles = TITLES

    since = day_field()
    until = day_field()
    group = choice_field(*GROUPS)
    stack = choice_field(*STACKS)
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
class Spending:
    """One reading of the page's address: what was chosen, for one person's workspaces."""

    workspaces: list[Workspace]
    chosen: Mapping[str, Any]
    period: Period
    today: date
    # What of the address is not valid, in sentences.
    problems: list[str] = field(default_factory=list)
    # What else a person should know of the period, in sentences.
    notes: list[str] = field(default_factory=list)

    @property
    def group(self) -> Any:
        return self.chosen.get("group", "workspace")

    @property
    def stack(self) -> Any:
        return self.chosen.get("stack", "model")

    @property
    def given(self) -> dict[str, str]:
        """Every value as the form's fields show it, empty where none was chosen."""
        values = {name: str(self.chosen.get(name, "")) for name in TITLES}
        return values | {"since": str(self.period.since), "until": str(self.period.until)}

    @property
    def words(self) -> str:
        return days_in_words(self.period)

    @property
    def words_before(self) -> str:
        return days_in_words(self.period.before)

    @property
    def is_narrowed(self) -> bool:
        return any(name in self.chosen for name in FILTERS)

    @property
    def has_more_filters(self) -> bool:
        """One of the filters is set that the page keeps folded away."""
        return any(name in self.chosen for name in ("model", "label", "owner", "canceled"))

    @property
    def asked_for(self) -> list[Workspace]:
        """The workspaces that the filters let through."""
        slug = self.chosen.get("workspace")
        return [each for each in self.workspaces if not slug or each.slug == slug]

    @property
    def question(self) -> Question:
        canceled = self.chosen.get("canceled")
        return Question(
            workspaces=[workspace.pk for workspace in self.asked_for],
            period=self.period,
            group=self.group,
            stack=self.stack,
            model=self._text("model"),
            label=self._text("label"),
            owner=self._text("owner"),
            is_canceled=None if canceled is None else canceled == "yes",
            has_twins=any(workspace.has_twins for workspace in self.asked_for),
        )

    def _text(self, name: str) -> str | None:
        text = self.chosen.get(name)
        return None if text is None else stored_text(text)

    def address(self, view: str = "spend", /, **changes: Any) -> str:
        """This page, or its CSV, with some values changed; those set to None go."""
        values = {name: self.chosen.get(name) for name in TITLES} | changes
        return _address(view, values)

    def batches(self, **changes: Any) -> str:
        """The list of the batches that the figures are of, narrowed by the changes."""
        values = {name: self.chosen.get(name) for name in FILTERS}
        values |= {"since": self.period.since, "until": self.period.until}
        return _address("batch-list", values | changes)

    @property
    def unfiltered(self) -> str:
        """The same period and parting without any filter."""
        return self.address(**dict.fromkeys(FILTERS))

    @property
    def next_group(self) -> str:
        """What to group by once the present groups have been narrowed down to one."""
        others = [name for name in GROUPS if name != self.group and name not in self.chosen]
        if len(self.workspaces) == 1 and "workspace" in others:
            others.remove("workspace")
        return others[0] if others else str(self.group)

    @property
    def shortcuts(self) -> list[Shortcut]:
        first = self.today.replace(day=1)
        last_month = Period((first - DAY).replace(day=1), first - DAY)
        periods = {
            "This month": Period(first, self.today),
            "Last month": last_month,
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


def read_spending(query: QueryDict, workspaces: list[Workspace], today: date) -> Spending:
    """A value that cannot be right is left out and named in `problems`; the others hold."""
    form = SpendForm(query, workspaces)
    chosen = form.chosen()
    problems, notes = form.sentences(), list[str]()
    period = _period(chosen, today, problems, notes)
    # In the address stay only the days that the figures are of.
    if "since" in chosen or "until" in chosen:
        chosen |= {"since": period.since, "until": period.until}
    return Spending(workspaces, chosen, period, today, problems, notes)


def _period(chosen: dict[str, Any], today: date, problems: list[str], notes: list[str]) -> Period:
    """From the days chosen; without any, this month up to today."""
    until = chosen.get("until")
    if until and until < EARLIEST:
        problems.append(f"Until: {until} is before there were any batches.{IGNORED}")
        until = None
    if until and until > today:
        notes.append(f"Until: {until} is yet to come. The figures end today.")
        until = today
    since = chosen.get("since")
    if since and since > (until or today):
        problems.append(f"Since: {since} comes after the end, {until or today}.{IGNORED}")
        since = None
    until = until or today
    since = since or until.replace(day=1)
    longest = Period.ending(until, days=LONGEST_DAYS)
    if since < longest.since:
        problems.append(f"Since: {since} is more than {LONGEST_DAYS} days before the end.")
        notes.append(f"The figures begin on {longest.since}.")
        return longest
    return Period(since, until)


def _address(view: str, values: Mapping[str, Any]) -> str:
    given = {name: str(value) for name, value in values.items() if value is not None}
    path = _path(view)
    return f"{path}?{urlencode(given)}" if given else path


@cache
def _path(view: str) -> str:
    """Kept, as a page has hundreds of links to two views."""
    return reverse(view)


def days_in_words(period: Period) -> str:
    """Both ends, naming month and year once where they are the same."""
    since, until = period.since, period.until
    end = f"{until.day} {until:%b %Y}"
    if since == until:
        return end
    if (since.year, since.month) == (until.year, until.month):
        return f"{since.day}–{end}"
    year = "" if since.year == until.year else f" {since.year}"
    return f"{since.day} {since:%b}{year} – {end}"
