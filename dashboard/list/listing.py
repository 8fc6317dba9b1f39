"""Reads the list's address, and finds the batches that it selects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from django.db.models.functions import Coalesce
from django.http import QueryDict

from batches.models import Batch, BatchQuerySet, Workspace
from batches.models.batch import READ_STATES
from batches.period import end_of, start_of
from batches.search import FEW, ID_PREFIX, IN_ADDRESS, text_like, used, used_like, with_text
from batches.spend.question import CANCELED
from dashboard.list.keyset import ORDERS, BadCursor, Order, Position
from dashboard.list.status import Status
from dashboard.query_form import (
    LONGEST_QUOTED,
    NO_SUCH_PAGE,
    WorkspaceQueryForm,
    choice_field,
    day_field,
    exact_text,
    text_field,
)

PAGE_SIZE = 50
LONGEST_ID = 200

TABS = {
    "all": Status("All", "There are no batches."),
    "active": Status("Active", "No batch is running.", is_active=[True]),
    "canceling": Status(
        "Canceling",
        "Nothing is being canceled.",
        is_active=[True],
        processing_status=["canceling"],
    ),
    "succeeded": Status("Succeeded", "No batch has succeeded entirely.", outcome=["all_succeeded"]),
    "failed": Status("Failed", "No batch has failed.", outcome=["some_failed", "all_failed"]),
    "canceled": Status(
        "Canceled", "No batch has been canceled.", outcome=["canceled", "canceled_too_late"]
    ),
    "expired": Status("Expired", "No batch has expired.", outcome=["expired"]),
}
# An address may also name statuses without a tab.
STATUSES = TABS | {
    "in_progress": Status(
        "In progress",
        "No batch is in progress.",
        is_active=[True],
        processing_status=["in_progress"],
    ),
    "ended": Status("Ended", "No batch has ended.", processing_status=["ended"]),
}
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
# Columns with an index that could keep a database from walking the index of an order.
INDEXED = ("outcome", "results_state", "created_at")
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
    label = text_field(LONGEST_QUOTED)
    owner = text_field(LONGEST_QUOTED)
    model = text_field(LONGEST_QUOTED)
    since = day_field()
    until = day_field()
    results = choice_field(*RESULTS)
    canceled = choice_field("yes", "no")
    sort = choice_field(*ORDERS)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A filter of the address in words, and the list's query string without it."""

    title: str
    value: str
    without: str


@dataclass
class Listing:
    """The values of the list's address, for one person's workspaces."""

    workspaces: list[Workspace]
    chosen: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)
    # The page begins after one batch, or ends before another.
    after: Position | None = None
    before: Position | None = None

    @property
    def status(self) -> str:
        return str(self.chosen.get("status", "all"))

    @property
    def current(self) -> Status:
        return STATUSES[self.status]

    @property
    def sort(self) -> str:
        return str(self.chosen.get("sort", "active"))

    @property
    def order(self) -> Order:
        return ORDERS[self.sort]

    @property
    def cursor(self) -> Position | None:
        """Where the page begins or ends; None for the first page."""
        return self.after or self.before

    @property
    def whole_id(self) -> str:
        """The batch ID if the search text is a complete one, or an address with it; or empty."""
        text = str(self.chosen.get("q", ""))
        found = IN_ADDRESS.search(text)
        wanted = found[1] if found else "".join(text.split())
        return wanted if is_whole_id(wanted) else ""

    @property
    def is_filtered(self) -> bool:
        """A filter other than the tab is set."""
        return any(name in self.chosen for name in FILTERS)

    @property
    def has_more_filters(self) -> bool:
        """One of the filters under "More filters" is set."""
        return any(name in self.chosen for name in MORE_FILTERS)

    @property
    def given(self) -> dict[str, str]:
        """Every value as the form's fields show it; empty if none was chosen."""
        return {name: str(self.chosen.get(name, "")) for name in TITLES}

    @property
    def suggested(self) -> list[tuple[str, str, str]]:
        """Name, title and value of each filter for which there are suggestions."""
        return [(name, TITLES[name], self.given[name]) for name in ("label", "owner", "model")]

    @property
    def results(self) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in RESULTS.items()]

    @property
    def sorts(self) -> list[tuple[str, str]]:
        return [(name, order.title) for name, order in ORDERS.items()]

    def query(self, **changes: Any) -> str:
        """The query string with the valid values, some of them changed; None removes one."""
        values = {name: value for name, value in (dict(self.chosen) | changes).items() if value}
        return f"?{urlencode(values)}" if values else "?"

    @property
    def unfiltered(self) -> str:
        """The query string with the tab and the order only."""
        return self.query(**dict.fromkeys(FILTERS))

    @property
    def all_statuses(self) -> str:
        """The query string for every tab's batches."""
        return self.query(status=None)

    @property
    def filters(self) -> list[Chosen]:
        """The filters that are set, as words for the page."""
        return [
            Chosen(TITLES[name], self._in_words(name), self.query(**{name: None}))
            for name in FILTERS
            if name in self.chosen
        ]

    def _in_words(self, name: str) -> str:
        value = str(self.chosen[name])
        match name:
            case "workspace":
                return next(w.name for w in self.workspaces if w.slug == value)
            case "results":
                return RESULTS[value][0]
            case "canceled":
                return "some" if value == "yes" else "none"
            case "q":
                return f"“{value}”"
            case "label" | "owner" | "model":
                exact = exact_text(value)
                return f"contains “{value}”" if exact is None else exact or "none"
        return value

    def everything(self) -> BatchQuerySet:
        """All batches that the person can see."""
        return Batch.objects.filter(workspace__in=[workspace.pk for workspace in self.workspaces])

    @property
    def selected_workspaces(self) -> list[Workspace]:
        """The workspace of the filter, or all of the person's."""
        slug = self.chosen.get("workspace")
        return [w for w in self.workspaces if not slug or w.slug == slug]

    @property
    def _selected_keys(self) -> list[int]:
        return [workspace.pk for workspace in self.selected_workspaces]

    @cached_property
    def condition(self) -> Q:
        """All filters but the tab and the workspaces."""
        chosen, match = self.chosen, Q()
        for name in ("label", "owner"):
            if name in chosen:
                exact = exact_text(chosen[name])
                match &= text_like(name, chosen[name]) if exact is None else Q(**{name: exact})
        if "model" in chosen:
            exact = exact_text(chosen["model"])
            match &= used_like(chosen["model"]) if exact is None else Q(used(exact))
        if "results" in chosen:
            match &= RESULTS[chosen["results"]][1] & Q(is_active=False)
        if "canceled" in chosen:
            match &= CANCELED if chosen["canceled"] == "yes" else ~CANCELED
        if "since" in chosen:
            match &= Q(created_at__gte=start_of(chosen["since"]))
        if "until" in chosen:
            match &= Q(created_at__lt=end_of(chosen["until"]))
        if "q" in chosen:
            match &= with_text(chosen["q"], self.selected_workspaces)
        return match

    def filtered(self) -> BatchQuerySet:
        """The batches that match every filter, whatever the tab."""
        batches = Batch.objects.filter(workspace__in=self._selected_keys)
        return batches.filter(self.condition).without_twins(self.selected_workspaces)

    def counted(self) -> BatchQuerySet:
        """The same batches, to be counted: from an index that has all columns for it."""
        if not self.is_filtered:
            return self.filtered()
        batches = Batch.objects.walking_in_order(self._selected_keys)
        return batches.filter(self.condition).without_twins(self.selected_workspaces)

    def matching(self) -> BatchQuerySet:
        """The batches that match the filters and the tab, unordered."""
        return self.filtered().filter(self.current.where)

    def with_cards(self, batches: BatchQuerySet) -> list[Batch]:
        """The batches, of the person's workspaces, with everything that their cards show."""
        loaded = list(batches.for_cards().with_shared_ids_marked(self.workspaces))
        workspaces = {workspace.pk: workspace for workspace in self.workspaces}
        for batch in loaded:
            batch.workspace = workspaces[batch.workspace_id]
        return loaded

    def some(self, place: Q, total: int, most: int, *, backwards: bool = False) -> list[Batch]:
        """Up to `most` batches of a place in the order, from its beginning or its end, with cards.

        `total` is how many match, on which it depends what is fast: to walk an index with the
        order until enough match, or to sort those that match.
        """
        order = self.order
        terms = order.reversed_terms if backwards else order.terms
        condition = self.condition & self.current.where & place
        if total <= FEW:
            # The subquery has no order, so the database finds its rows by what they match.
            found = Batch.objects.filter(condition, workspace__in=self._selected_keys)
            batches = Batch.objects.filter(
                pk__in=found.without_twins(self.selected_workspaces).values("pk")
            )
        else:
            batches = Batch.objects.walking_in_order(self._selected_keys)
            batches = batches.without_twins(self.selected_workspaces)
            # The same values, for which no index can be used.
            columns = [column for column in INDEXED if column != order.column]
            batches = batches.alias(**{f"bare_{name}": Coalesce(name, name) for name in columns})
            batches = batches.filter(bare(condition, columns))
        keys = batches.order_by(*terms).values("pk")[:most]
        return order.sort(self.with_cards(Batch.objects.filter(pk__in=keys)))


def bare(condition: Q, columns: Sequence[str]) -> Q:
    """The condition with the columns replaced by aliases that begin with "bare_"."""
    replaced = condition.copy()
    replaced.children = [_bare_child(child, columns) for child in condition.children]
    return replaced


def _bare_child(child: Any, columns: Sequence[str]) -> Any:
    match child:
        case Q():
            return bare(child, columns)
        case (str(name), value) if name.partition("__")[0] in columns:
            return f"bare_{name}", value
    return child


def read_listing(query: QueryDict, workspaces: list[Workspace]) -> Listing:
    """An invalid value is ignored and named in `problems`; the others still apply."""
    form = ListForm(query, workspaces)
    chosen = form.chosen()
    listing = Listing(workspaces, chosen, form.sentences())
    if "since" in chosen and "until" in chosen and chosen["since"] > chosen["until"]:
        listing.problems.append(
            "Created since: this day comes after “until”, so no batch can match."
        )
    try:
        if query.get("after"):
            listing.after = Position.from_text(str(query["after"]), listing.sort)
        elif query.get("before"):
            listing.before = Position.from_text(str(query["before"]), listing.sort)
    except BadCursor:
        listing.problems.append(NO_SUCH_PAGE)
    return listing


def is_whole_id(text: str) -> bool:
    """Whether the text has the form of a complete batch ID."""
    rest = text.removeprefix(ID_PREFIX)
    has_form = rest != text and rest.replace("_", "").isalnum() and text.isascii()
    return has_form and len(text) <= LONGEST_ID
