"""What the list's address asks for, and the batches that answer it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.db.models import Q
from django.http import QueryDict

from batches.models import Batch, BatchQuerySet, Workspace
from dashboard.keyset import ORDERS, BadCursor, Position

PAGE_SIZE = 50
LONGEST_TEXT = 200
ID_PREFIX = "msgbatch_"

TABS: dict[str, tuple[str, Q]] = {
    "all": ("All", Q()),
    "active": ("Active", Q(is_active=True)),
    "canceling": ("Canceling", Q(is_active=True, processing_status="canceling")),
    "succeeded": ("Succeeded", Q(outcome="all_succeeded")),
    "failed": ("Failed", Q(outcome__in=["some_failed", "all_failed"])),
    "canceled": ("Canceled", Q(outcome__in=["canceled", "canceled_too_late"])),
    "expired": ("Expired", Q(outcome="expired")),
}
# Statuses that an address may name though they have no tab.
STATUSES: dict[str, tuple[str, Q]] = TABS | {
    "in_progress": ("In progress", Q(is_active=True, processing_status="in_progress")),
    "ended": ("Ended", Q(processing_status="ended")),
}
SORTS = {"active": "Active first", "newest": "Newest first", "oldest": "Oldest first"}
# What narrows the list down, the tab apart.
FILTERS = ("workspace", "q", "label", "owner", "since", "until")
TITLES = {
    "status": "Status", "workspace": "Workspace", "q": "Search", "label": "Label",
    "owner": "Owner", "since": "Created since", "until": "Created until", "sort": "Order",
}  # fmt: skip


class ListForm(forms.Form):
    """The address's values, each checked for itself."""

    status = forms.ChoiceField(choices=[(name, name) for name in STATUSES], required=False)
    q = forms.CharField(max_length=LONGEST_TEXT, required=False)
    label = forms.CharField(max_length=LONGEST_TEXT, required=False)
    owner = forms.CharField(max_length=LONGEST_TEXT, required=False)
    since = forms.DateField(input_formats=["%Y-%m-%d"], required=False)
    until = forms.DateField(input_formats=["%Y-%m-%d"], required=False)
    sort = forms.ChoiceField(choices=list(SORTS.items()), required=False)

    def __init__(self, values: QueryDict, workspaces: list[Workspace]) -> None:
        super().__init__(values)
        names = [(workspace.slug, workspace.name) for workspace in workspaces]
        self.fields["workspace"] = forms.ChoiceField(choices=names, required=False)

    def sentences(self) -> list[str]:
        """One for each value that is left out; of what was given, no more than a line of it."""
        return [
            f"{TITLES[name]}: {self._what_is_wrong(name)} It is left out."
            for name in self.fields
            if name in self.errors
        ]

    def _what_is_wrong(self, name: str) -> str:
        given = str(self.data.get(name, ""))
        if len(given) > LONGEST_TEXT:
            return f"{len(given):,} characters are more than the {LONGEST_TEXT} that can be sought."
        if name in {"since", "until"}:
            return f"“{given}” is not a day such as 2026-11-24."
        if name in {"status", "workspace", "sort"}:
            return f"there is no “{given}” to choose."
        return "it holds a character that no text can have."


@dataclass
class Listing:
    """One reading of the list's address: what was chosen, for one person's workspaces."""

    workspaces: list[Workspace]
    chosen: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)
    cursor: Position | None = None

    @property
    def status(self) -> str:
        return str(self.chosen.get("status", "all"))

    @property
    def sort(self) -> str:
        return str(self.chosen.get("sort", "active"))

    @property
    def is_narrowed(self) -> bool:
        """Something keeps batches out, so that an empty list need not mean that there are none."""
        return self.status != "all" or any(name in self.chosen for name in FILTERS)

    @property
    def has_more_filters(self) -> bool:
        """One of the filters is set that the page keeps folded away."""
        return any(name in self.chosen for name in ("label", "owner", "since", "until"))

    @property
    def given(self) -> dict[str, str]:
        """Every value as the form's fields show it, empty where none was chosen."""
        return {name: str(self.chosen.get(name, "")) for name in TITLES}

    @property
    def sorts(self) -> list[tuple[str, str]]:
        return list(SORTS.items())

    def everything(self) -> BatchQuerySet:
        """All batches that the person can see."""
        return Batch.objects.filter(workspace__in=[workspace.pk for workspace in self.workspaces])

    @property
    def wanted(self) -> list[int]:
        """The workspaces that the filters let through, by primary key."""
        slug = self.chosen.get("workspace")
        return [w.pk for w in self.workspaces if not slug or w.slug == slug]

    def filtered(self) -> BatchQuerySet:
        """What every filter but the tab lets through."""
        return self._narrowed(Batch.objects.filter(workspace__in=self.wanted))

    def _narrowed(self, batches: BatchQuerySet) -> BatchQuerySet:
        for name in ("label", "owner"):
            if name in self.chosen:
                batches = batches.filter(**{name: self.chosen[name]})
        if "since" in self.chosen:
            batches = batches.filter(created_at__gte=start_of(self.chosen["since"]))
        if "until" in self.chosen:
            batches = batches.filter(created_at__lt=end_of(self.chosen["until"]))
        return batches.filter(sought(self.chosen["q"])) if "q" in self.chosen else batches

    def matching(self) -> BatchQuerySet:
        """What the filters and the tab let through, in no order."""
        return self.filtered().filter(STATUSES[self.status][1])

    def page(self) -> tuple[list[Batch], str]:
        """At most PAGE_SIZE batches for cards, and the next page's cursor; empty on the last."""
        walked = self._narrowed(Batch.objects.walking_in_order(self.wanted))
        batches = walked.filter(STATUSES[self.status][1])
        batches = batches.for_cards().order_by(*ORDERS[self.sort])
        if self.cursor:
            batches = batches.filter(self.cursor.beyond())
        found = list(batches[: PAGE_SIZE + 1])
        if len(found) <= PAGE_SIZE:
            return found, ""
        return found[:PAGE_SIZE], str(Position.of(found[PAGE_SIZE - 1], self.sort))


def read_listing(query: QueryDict, workspaces: list[Workspace]) -> Listing:
    """A value that cannot be right is left out and named in `problems`; the others hold."""
    form = ListForm(query, workspaces)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    listing = Listing(workspaces, chosen, form.sentences())
    if "since" in chosen and "until" in chosen and chosen["since"] > chosen["until"]:
        listing.problems.append("Created since: this day comes after “until”: no batch can match.")
    if query.get("after"):
        try:
            listing.cursor = Position.from_text(str(query["after"]), listing.sort)
        except BadCursor:
            listing.problems.append("That page does not exist. This is the first one.")
    return listing


def sought(text: str) -> Q:
    """Batches whose id starts with the text, blanks apart, or whose label or owner holds it."""
    # People paste ids with blanks in them, and shortened ones with their dots.
    compact = re.sub(r"\s|\.{3}$|…$", "", text)
    match = Q(label__icontains=text) | Q(owner__icontains=text)
    if compact:
        match |= Q(api_id__startswith=compact) | Q(api_id__startswith=ID_PREFIX + compact)
    return match


def start_of(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def end_of(day: date) -> datetime:
    """The first moment after a UTC day, or the last there is."""
    if day == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return start_of(day + timedelta(days=1))
