"""What the list's address asks for, and the batches that answer it."""

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
from dashboard.query_form import QueryForm, choice_field, day_field, stored_text, text_field

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
# Statuses that an address may name though they have no tab.
STATUSES = TABS | {
    "in_progress": Status("In progress", is_active=[True], processing_status=["in_progress"]),
    "ended": Status("Ended", processing_status=["ended"]),
}
SORTS = {"active": "Active first", "newest": "Newest first", "oldest": "Oldest first"}
# What narrows the list down, the tab apart.
FILTERS = (
    "workspace", "q", "label", "owner", "model", "since", "until", "results", "canceled",
)  # fmt: skip
# Those that the page keeps folded away.
MORE_FILTERS = ("label", "owner", "model", "since", "until", "results", "canceled")
TITLES = {
    "status": "Status", "workspace": "Workspace", "q": "Search", "label": "Label",
    "owner": "Owner", "model": "Model", "since": "Created since", "until": "Created until",
    "results": "Results", "canceled": "Canceled requests", "sort": "Order",
}  # fmt: skip
# How far the reading of an ended batch's results is, and what it found.
RESULTS: dict[str, tuple[str, Q]] = {
    "read": ("read", Q(results_state__in=READ_STATES)),
    "unfinished": ("with unfinished or refused requests", Q(unfinished__gt=0) | Q(refused__gt=0)),
    "incomplete": ("read in part", Q(results_state__in=READ_STATES, unknown_lines__gt=0)),
    "outdated": ("read by an older version", Q(results_state="outdated")),
    "pending": ("not read yet", Q(results_state="pending")),
    "unreadable": ("unreadable", Q(results_state="unreadable")),
    "lost": ("lost", Q(results_state="lost")),
}


class ListForm(QueryForm):
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
    def whole_id(self) -> str:
        """The batch ID that the search is for, spaces in it left out; empty for other texts."""
        sought = str(self.chosen.get("q", "")).replace(" ", "")
        return sought if is_whole_id(sought) else ""

    @property
    def is_narrowed(self) -> bool:
        """Something keeps batches out, so that an empty list need not mean that there are none."""
        return self.status != "all" or any(name in self.chosen for name in FILTERS)

    @property
    def has_more_filters(self) -> bool:
        """One of the filters is set that the page keeps folded away."""
        return any(name in self.chosen for name in MORE_FILTERS)

    @property
    def given(self) -> dict[str, str]:
        """Every value as the form's fields show it, empty where none was chosen."""
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
    def wanted(self) -> list[Workspace]:
        """The workspaces that the filters let through."""
        slug = self.chosen.get("workspace")
        return [w for w in self.workspaces if not slug or w.slug == slug]

    def filtered(self) -> BatchQuerySet:
        """What every filter but the tab lets through."""
        wanted = [workspace.pk for workspace in self.wanted]
        return self._narrowed(Batch.objects.filter(workspace__in=wanted))

    def _narrowed(self, batches: BatchQuerySet) -> BatchQuerySet:
        batches = batches.without_twins(self.wanted)
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
        """What the filters and the tab let through, in no order."""
        return self.filtered().filter(STATUSES[self.status].where)

    def with_cards(self, batches: BatchQuerySet) -> BatchQuerySet:
        """With all that their cards show."""
        return batches.for_cards().with_shared_ids_marked(self.workspaces)

    def page(self) -> tuple[list[Batch], str]:
        """At most PAGE_SIZE batches for cards, and the next page's cursor; empty on the last."""
        wanted = [workspace.pk for workspace in self.wanted]
        walked = self._narrowed(Batch.objects.walking_in_order(wanted))
        batches = walked.filter(STATUSES[self.status].where)
        batches = self.with_cards(batches).order_by(*ORDERS[self.sort])
        if self.cursor:
            batches = batches.filter(self.cursor.beyond())
        found = list(batches[: PAGE_SIZE + 1])
        if len(found) <= PAGE_SIZE:
            return found, ""
        return found[:PAGE_SIZE], str(Position.of(found[PAGE_SIZE - 1], self.sort))


def read_listing(query: QueryDict, workspaces: list[Workspace]) -> Listing:
    """A value that cannot be right is left out and named in `problems`; the others hold."""
    form = ListForm(query, workspaces)
    chosen = form.chosen()
    listing = Listing(workspaces, chosen, form.sentences())
    if "since" in chosen and "until" in chosen and chosen["since"] > chosen["until"]:
        listing.problems.append("Created since: this day comes after “until”: no batch can match.")
    if query.get("after"):
        try:
            listing.cursor = Position.from_text(str(query["after"]), listing.sort)
        except BadCursor:
            listing.problems.append("That page does not exist. This is the first one.")
    return listing


def is_whole_id(text: str) -> bool:
    """Whether the text may be the ID of a batch, and not a part of one or something else."""
    rest = text.removeprefix(ID_PREFIX)
    has_form = rest != text and rest.replace("_", "").isalnum() and text.isascii()
    return has_form and len(text) <= LONGEST_ID
