"""What the list's address asks for, and the batches that answer it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Q
from django.http import QueryDict

from batches.models import Batch, Workspace
from dashboard.keyset import ORDERS, BadCursor, Position

PAGE_SIZE = 50
LONGEST_TEXT = 200
ID_PREFIX = "msgbatch_"

STATUSES: dict[str, tuple[str, Q]] = {
    "all": ("All", Q()),
    "active": ("Active", Q(is_active=True)),
    "in_progress": ("In progress", Q(is_active=True, processing_status="in_progress")),
    "canceling": ("Canceling", Q(is_active=True, processing_status="canceling")),
    "ended": ("Ended", Q(processing_status="ended")),
    "succeeded": ("Succeeded", Q(outcome="all_succeeded")),
    "failed": ("Failed", Q(outcome__in=["some_failed", "all_failed"])),
    "canceled": ("Canceled", Q(outcome__in=["canceled", "canceled_too_late"])),
    "expired": ("Expired", Q(outcome="expired")),
}
SORTS = {"active": "Active first", "newest": "Newest first", "oldest": "Oldest first"}
FIELDS = ("status", "workspace", "q", "label", "owner", "since", "until", "sort")
NARROWING = ("workspace", "q", "label", "owner", "since", "until")
TOO_LONG = f"This is too long to search for: give at most {LONGEST_TEXT} characters."


class FilterForm(forms.Form):
    """The filters as fields: each says for itself what is wrong with what it was given."""

    status = forms.ChoiceField(
        choices=[(key, name) for key, (name, _) in STATUSES.items()], required=False
    )
    workspace = forms.ChoiceField(required=False)
    q = forms.CharField(
        required=False, max_length=LONGEST_TEXT, error_messages={"max_length": TOO_LONG}
    )
    label = forms.CharField(
        required=False, max_length=LONGEST_TEXT, error_messages={"max_length": TOO_LONG}
    )
    owner = forms.CharField(
        required=False, max_length=LONGEST_TEXT, error_messages={"max_length": TOO_LONG}
    )
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    sort = forms.ChoiceField(choices=list(SORTS.items()), required=False)

    def __init__(self, values: QueryDict, workspaces: Sequence[Workspace]) -> None:
        super().__init__(values)
        choice = self.fields["workspace"]
        assert isinstance(choice, forms.ChoiceField)
        choice.choices = [(workspace.slug, workspace.name) for workspace in workspaces]

    def problems(self) -> list[str]:
        """One sentence for each value that is left out, shortened where it is long."""
        return [
            f"{name}: {message}" for name, messages in self.errors.items() for message in messages
        ]

    def shown(self) -> dict[str, str]:
        """What to put back into the fields, wrong values included, so that they can be mended."""
        return {name: str(self.data.get(name, ""))[: LONGEST_TEXT + 1] for name in FIELDS}


@dataclass(frozen=True)
class Listing:
    """One reading of the list's address: filters, order and position, for these workspaces."""

    workspaces: tuple[Workspace, ...]
    values: Mapping[str, Any]
    shown: Mapping[str, str]
    problems: tuple[str, ...]
    after: Position | None = None

    @classmethod
    def from_query(cls, query: QueryDict, workspaces: Sequence[Workspace]) -> "Listing":
        """A value that cannot be right is left out and named in `problems`; the others hold."""
        form = FilterForm(query, workspaces)
        form.is_valid()
        values = {name: value for name, value in form.cleaned_data.items() if value}
        problems = form.problems()
        if "since" in values and "until" in values and values["since"] > values["until"]:
            problems.append("since: This day lies after the last day asked for.")
        after = None
        if query.get("after"):
            try:
                after = Position.from_text(query["after"], values.get("sort", "active"))
            except BadCursor:
                problems.append("after: This page does not exist any more; here is the first one.")
        return cls(tuple(workspaces), values, form.shown(), tuple(problems), after)

    @property
    def status(self) -> str:
        return str(self.values.get("status", "all"))

    @property
    def sort(self) -> str:
        return str(self.values.get("sort", "active"))

    @property
    def is_narrowed(self) -> bool:
        """Something but the tab and the order keeps batches out."""
        return any(name in self.values for name in NARROWING)

    @property
    def is_first_page(self) -> bool:
        return self.after is None

    @property
    def takes_new_cards(self) -> bool:
        """New batches belong at the top of what is shown."""
        return self.is_first_page and self.sort != "oldest"

    @property
    def narrowing(self) -> tuple[tuple[str, str], ...]:
        """The filters apart from the tab, as a key: equal for equal answers."""
        return tuple((name, str(self.values[name])) for name in NARROWING if name in self.values)

    def narrowed(self) -> Any:
        """The visible batches that every filter but the tab lets through."""
        workspaces = [
            workspace.pk
            for workspace in self.workspaces
            if self.values.get("workspace", workspace.slug) == workspace.slug
        ]
        rows = Batch.objects.filter(workspace__in=workspaces)
        for name in ("label", "owner"):
            if name in self.values:
                rows = rows.filter(**{name: self.values[name]})
        if "since" in self.values:
            rows = rows.filter(created_at__gte=start_of(self.values["since"]))
        if "until" in self.values:
            rows = rows.filter(created_at__lt=end_of(self.values["until"]))
        return rows.filter(sought(self.values["q"])) if "q" in self.values else rows

    def rows(self) -> Any:
        """The batches that match everything, in the order asked for, from the very first."""
        return self.narrowed().filter(STATUSES[self.status][1]).order_by(*ORDERS[self.sort])

    def page(self, rows: Any) -> tuple[list[Batch], Position | None]:
        """At most PAGE_SIZE of `rows` from the position on, and where the next page starts."""
        if self.after:
            rows = rows.filter(self.after.beyond())
        batches = list(rows[: PAGE_SIZE + 1])
        if len(batches) <= PAGE_SIZE:
            return batches, None
        return batches[:PAGE_SIZE], Position.of(batches[PAGE_SIZE - 1], self.sort)

    def address(self, **changes: str) -> str:
        """This reading as a query string, with some values changed; an empty one drops out."""
        values = {name: str(self.values[name]) for name in FIELDS if name in self.values}
        values |= changes
        return urlencode({name: value for name, value in values.items() if value})


def sought(text: str) -> Q:
    """Batches whose id starts with the text, blanks apart, or whose label or owner holds it."""
    # People paste ids with blanks in them, and shortened ones with their dots.
    compact = re.sub(r"\s|\.{3}$|…$", "", text)
    match = Q(label__icontains=text) | Q(owner__icontains=text)
    if compact:
        match |= Q(api_id__startswith=compact) | Q(api_id__startswith=ID_PREFIX + compact)
    return match


def whole_id(text: str) -> str:
    """The batch id that a search text is in full, or empty when it is something else."""
    compact = re.sub(r"\s", "", text)
    is_whole = re.fullmatch(rf"{ID_PREFIX}[A-Za-z0-9_-]{{8,{LONGEST_TEXT - len(ID_PREFIX)}}}", compact)
    return compact if is_whole else ""


def start_of(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def end_of(day: date) -> datetime:
    """The first moment after a UTC day, or the last there is."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return start_of(day + timedelta(days=1))
