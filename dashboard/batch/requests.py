"""The unsuccessful requests of one batch, as its results file lists them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batches import clock
from batches.models import Batch, FailedRequest, Reading
from dashboard.access import allow, visible_batch_or_404
from dashboard.health import health_of, notices
from dashboard.query_form import (
    LONGEST_TEXT,
    NO_SUCH_PAGE,
    NO_VALUE,
    QueryForm,
    choice_field,
    row_key,
    rows_after,
    stored_text,
    text_field,
)

PAGE_SIZE = 100
# By kind of failure, as the index has them.
ORDER = ("outcome", "error_type", "pk")
# The outcomes of the API today; a batch may have others.
OUTCOMES = ("errored", "canceled", "expired")
ICONS = {"errored": "circle-x", "canceled": "ban", "expired": "calendar-x"}
OTHER_ICON = "circle-question-mark"


class RequestsForm(QueryForm):
    titles: ClassVar = {"outcome": "Outcome", "type": "Error type", "q": "Search"}

    q = text_field()

    def __init__(self, values: QueryDict, kinds: "Kinds") -> None:
        super().__init__(values)
        self.fields["outcome"] = choice_field(*kinds.outcomes)
        self.fields["type"] = choice_field(*kinds.types)


@dataclass
class Kinds:
    """The number of requests by outcome and error type: all, and those that a search found."""

    all: Counter[tuple[str, str]] = field(default_factory=Counter)
    found: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def outcomes(self) -> list[str]:
        return list(dict.fromkeys((*OUTCOMES, *sorted({outcome for outcome, _ in self.all}))))

    @property
    def types(self) -> list[str]:
        return sorted({error_type or NO_VALUE for _, error_type in self.all})


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a filter: its requests under the other filters, and all of them."""

    name: str
    count: int
    all: int
    is_chosen: bool


@allow("see")
@require_safe
def batch_requests(request: HttpRequest, api_id: str) -> HttpResponse:
    batch = visible_batch_or_404(request.user, api_id)
    part = search_text(request.GET)
    kinds = kinds_of(batch, part)
    form = RequestsForm(request.GET, kinds)
    given = {"q": "", "outcome": "", "type": ""} | form.chosen()
    problems = form.sentences()
    requests = matching_requests(batch, given["outcome"], given["type"], part)
    last = last_shown(batch, request.GET.get("after", ""))
    if last:
        requests = requests.filter(rows_after({name: getattr(last, name) for name in ORDER}))
    elif request.GET.get("after"):
        problems.append(NO_SUCH_PAGE)
    rows = list(requests[: PAGE_SIZE + 1])
    context = {
        "batch": batch,
        "notices": notices([health_of(batch.workspace, clock.now())]),
        "reading": Reading.objects.filter(batch=batch).first(),
        "requests": [(row, ICONS.get(row.outcome, OTHER_ICON)) for row in rows[:PAGE_SIZE]],
        "following": rows[PAGE_SIZE - 1].pk if len(rows) > PAGE_SIZE else "",
        "is_later_page": bool(last),
        "given": given,
        "is_narrowed": any(given.values()),
        "problems": problems,
    }
    return render(request, "batch/batch_requests.html", context | counts(kinds, given))


def counts(kinds: Kinds, given: Mapping[str, str]) -> dict[str, Any]:
    """The number of requests in all, under the filters, and of each option under the others."""
    outcome, error_type = given["outcome"], given["type"]
    return {
        "everything": kinds.all.total(),
        "total": count(kinds.found, outcome, error_type),
        "outcomes": [
            Choice(
                name, count(kinds.found, name, error_type), count(kinds.all, name), name == outcome
            )
            for name in kinds.outcomes
        ],
        "types": [
            Choice(
                name,
                count(kinds.found, outcome, name),
                count(kinds.all, "", name),
                name == error_type,
            )
            for name in kinds.types
        ],
    }


def count(kinds: Counter[tuple[str, str]], outcome: str, error_type: str = "") -> int:
    """The requests with these values of the address; an empty value matches all."""
    return sum(
        count
        for (its_outcome, its_type), count in kinds.items()
        if outcome in {"", its_outcome} and error_type in {"", its_type or NO_VALUE}
    )


def last_shown(batch: Batch, text: str) -> FailedRequest | None:
    """The last request of the page before; None if `text` is not the key of one of the batch's."""
    key = row_key(text)
    return None if key is None else batch.failed_requests.filter(pk=key).first()


def search_text(query: QueryDict) -> str:
    """The part of a custom_id that is searched for; empty if it is not valid."""
    text = str(query.get("q", "")).strip()
    return "" if len(text) > LONGEST_TEXT or "\0" in text else text


def kinds_of(batch: Batch, part: str) -> Kinds:
    """Counted by an index alone, unless there is a search."""
    found = Count("pk", filter=Q(custom_id__icontains=part)) if part else Count("pk")
    rows = batch.failed_requests.values_list("outcome", "error_type")
    kinds = Kinds()
    for outcome, error_type, count, matches in rows.annotate(all=Count("pk"), found=found):
        kinds.all[outcome, error_type] = count
        kinds.found[outcome, error_type] = matches
    return kinds


def matching_requests(
    batch: Batch, outcome: str, error_type: str, part: str
) -> QuerySet[FailedRequest]:
    requests = batch.failed_requests.order_by(*ORDER)
    if outcome:
        requests = requests.filter(outcome=outcome)
    if error_type:
        requests = requests.filter(error_type=stored_text(error_type))
    return requests.filter(custom_id__icontains=part) if part else requests
