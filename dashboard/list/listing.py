"""Reads the list's address, and finds the batches that it selects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.http import QueryDict

from batches.models import Batch, BatchQuerySet, Workspace
from batches.models.batch import READ_STATES
from batches.period import end_of, start_of
from batches.search import ID_PREFIX, used, with_text
from batches.spend.question import CANCELED
from dashboard.list.keyset import ORDERS, BadCursor, Position
from dashboard.list.status import Status
from dashboard.query_form import (
    NO_SUCH_PAGE,
    WorkspaceQueryForm,
    choice_field,
    day_field,
    stored_text,
    text_field,
)

PAGE_SIZE = 50
LONGEST_ID = 200

TABS = {
    "all": Status("All"),
    "active": Status("Active", is_active=[True]),
    "canceling": Status("Canceling", is_active=[True], processing_status=["canceling"]),
    "succeeded": Status("Succeeded", outcome=["all_succeeded"]),
    "failed": Status("Failed", outcome=["some_failed", "all_failed"]),
    "canceled": Status("Canceled", outcome=["canceled", "canceled_too_late"]),
    "expired": Status("Expired", outcome=["expired"]),
}
# An address may also name statuses without a tab.
STATUSES = TABS | {
    "in_progress": Status("In progress", is_active=[True], processing_status=["in_progress"]),
    "ended": Status("Ended", processing_status=["ended"]),
}
SORTS = {"active": "Active first", "newest": "Newest first", "oldest": "Oldest first"}
# All filters except the tab.
FILTERS = (
    "workspace", "q", "label", "owner", "model", "since", "until", "results", "canceled",
)  # fmt: skip
# The filters that the page shows under "More filters".
MORE_FILTERS = ("label", "owner", "model", "since", "until", "results", "canceled")
TITLES = {
    "status": "Status", "workspace": "Workspace", "q": "Search", "label": "Label",
    "owner": "Owner", "model": "Model", "since": "Created since", "until": "Created until",
    "results": "Results", "canceled": "Canceled requests", "sort": "Order",
}  # fmt: skip
# Values of the results filter: a title, and a condition on ended batches.
RESULTS: dict[str, tuple[str, Q]] = {
    "read": ("read", Q(results_state__in=READ_STATES)),
    "unfinished": ("with unfinished or refused requests", Q(unfinished__gt=0) | Q(refused__gt=0)),
    "incomplete": ("read in part", Q(results_state__in=READ_STATES, unknown_lines__gt=0)),
    "outdated": ("read by an older version", Q(results_state="outdated")),
    "pending": ("not read yet", Q(results_state="pending")),
    "unreadable": ("unreadable", Q(results_state="unreadable")),
    "lost": ("lost", Q(results_state="lost")),
}


class ListForm(WorkspaceQueryForm):
    titles = TITLES

    status = choice_field(*STATUSES)
    q = text_field()
    label = text_field()
    owner = text_field()
    model = text_field()
    since = day_field()
    until = day_field()
    results = choice_field(*RESULTS)
    canceled = choice_field("yes", "no")
    sort = choice_field(*SORTS)


@dataclass
class Listing:
    """The values of the list's address, for one person's workspaces."""

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
    def whole_id(self) -> str:
        """The search text without spaces if it is a complete batch ID, otherwise empty."""
        text = str(self.chosen.get("q", "")).replace(" ", "")
        return text if is_whole_id(text) else ""

    @property
    def is_narrowed(self) -> bool:
        """A tab or a filter excludes batches."""
        return self.status != "all" or any(name in self.chosen for name in FILTERS)

    @property
    def has_more_filters(self) -> bool:
        """One of the filters under "More filters" is set."""
        return any(name in self.chosen for name in MORE_FILTERS)

    @property
    def given(self) -> dict[str, str]:
        """Every value as the form's fields show it; empty if none was chosen."""
        return {name: str(self.chosen.get(name, "")) for name in TITLES}

    @property
    def results(self) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in RESULTS.items()]

    @property
    def sorts(self) -> list[tuple[str, str]]:
        return list(SORTS.items())

    def everything(self) -> BatchQuerySet:
        """All batches that the person can see."""
        return Batch.objects.filter(workspace__in=[workspace.pk for workspace in self.workspaces])

    @property
    def selected_workspaces(self) -> list[Workspace]:
        """The workspace of the filter, or all of the person's."""
        slug = self.chosen.get("workspace")
        return [w for w in self.workspaces if not slug or w.slug == slug]

    def filtered(self) -> BatchQuerySet:
        """The batches that match every filter, whatever the tab."""
        return self._narrowed(Batch.objects.filter(workspace__in=self._selected_keys()))

    def _selected_keys(self) -> list[int]:
        return [workspace.pk for workspace in self.selected_workspaces]

    def _narrowed(self, batches: BatchQuerySet) -> BatchQuerySet:
        batches = batches.without_twins(self.selected_workspaces)
        for name in ("label", "owner"):
            if name in self.chosen:
                batches = batches.filter(**{name: stored_text(self.chosen[name])})
        if "model" in self.chosen:
            batches = batches.filter(used(stored_text(self.chosen["model"])))
        if "results" in self.chosen:
            batches = batches.filter(RESULTS[self.chosen["results"]][1], is_active=False)
        if "canceled" in self.chosen:
            batches = batches.filter(CANCELED if self.chosen["canceled"] == "yes" else ~CANCELED)
        if "since" in self.chosen:
            batches = batches.filter(created_at__gte=start_of(self.chosen["since"]))
        if "until" in self.chosen:
            batches = batches.filter(created_at__lt=end_of(self.chosen["until"]))
        return batches.filter(with_text(self.chosen["q"])) if "q" in self.chosen else batches

    def matching(self) -> BatchQuerySet:
        """The batches that match the filters and the tab, unordered."""
        return self.filtered().filter(STATUSES[self.status].where)

    def with_cards(self, batches: BatchQuerySet) -> BatchQuerySet:
        """With everything that their cards show."""
        return batches.for_cards().with_shared_ids_marked(self.workspaces)

    def page(self, size: int = PAGE_SIZE) -> tuple[list[Batch], str]:
        """Up to `size` batches for cards, and the cursor of the next page; empty on the last."""
        walked = self._narrowed(Batch.objects.walking_in_order(self._selected_keys()))
        batches = walked.filter(STATUSES[self.status].where)
        batches = self.with_cards(batches).order_by(*ORDERS[self.sort])
        if self.cursor:
            batches = batches.filter(self.cursor.beyond())
        found = list(batches[: size + 1])
        if len(found) <= size:
            return found, ""
        return found[:size], str(Position.of(found[size - 1], self.sort))


def read_listing(query: QueryDict, workspaces: list[Workspace]) -> Listing:
    """An invalid value is ignored and named in `problems`; the others still apply."""
    form = ListForm(query, workspaces)
    chosen = form.chosen()
    listing = Listing(workspaces, chosen, form.sentences())
    if "since" in chosen and "until" in chosen and chosen["since"] > chosen["until"]:
        listing.problems.append(
            "Created since: this day comes after “until”, so no batch can match."
        )
    if query.get("after"):
        try:
            listing.cursor = Position.from_text(str(query["after"]), listing.sort)
        except BadCursor:
            listing.problems.append(NO_SUCH_PAGE)
    return listing


def is_whole_id(text: str) -> bool:
    """Whether the text has the form of a complete batch ID."""
    rest = text.removeprefix(ID_PREFIX)
    has_form = rest != text and rest.replace("_", "").isalnum() and text.isascii()
    return has_form and len(text) <= LONGEST_ID
