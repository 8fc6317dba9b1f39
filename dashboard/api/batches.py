"""Batches: the list, one batch, its labels, its cancellation and its unsuccessful requests."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from msgspec import UNSET

from batches import clock
from batches.cancel import AlreadyEnded, cancel_batch
from batches.labels import (
    MOST_PENDING,
    Labels,
    TooManyPending,
    change_labels,
    label_when_seen,
)
from batches.models import Batch, Cancellation, PendingLabels, Workspace
from dashboard.access import client_address, visible_batch_or_404, visible_workspaces
from dashboard.api import shapes
from dashboard.api.operations import Operation, answer, following_page, page_answer
from dashboard.api.parameters import AFTER, LIMIT, form_parameters, limit_in, refuse_problems
from dashboard.batch.cancel import SENTENCES, ReasonForm
from dashboard.batch.labels import LabelForm
from dashboard.batch.requests import (
    ORDER,
    Kinds,
    RequestsForm,
    count,
    kinds_of,
    last_shown,
    matching_requests,
    search_text,
)
from dashboard.health import health_of
from dashboard.list.counts import total
from dashboard.list.listing import ListForm, is_whole_id, read_listing
from dashboard.list.pages import page_of
from dashboard.problems import Problem
from dashboard.query_form import IGNORED, NO_SUCH_PAGE, rows_after

State = Cancellation.State

LIST_FILTERS = {
    "status": "The tabs of the list, and `in_progress` and `ended`.",
    "workspace": "A slug.",
    "q": "Words that all occur in its ID, label, owner, note, models or workspace; or an address.",
    "label": "A part of the label; all of it in double quotes; `(none)` for no label.",
    "owner": "A part of the owner's name; all of it in double quotes; `(none)` for no owner.",
    "model": "A part of a model's name, or all of it in double quotes. Known once read.",
    "since": "Created on this day (UTC) or later.",
    "until": "Created on this day (UTC) or earlier.",
    "results": "Of ended batches: whether their results have been read.",
    "canceled": "Whether requests were canceled.",
    "sort": "The order; `active` is the default.",
}
FAILURE_FILTERS = {
    "outcome": "`errored`, `canceled`, `expired`, or a newer word.",
    "type": "The error type, or `(none)`.",
    "q": "A part of the custom_id.",
}


def list_batches(request: HttpRequest) -> HttpResponse:
    size = limit_in(request.GET)
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    refuse_problems(listing.problems, IGNORED)
    now = clock.now()
    found = page_of(listing, total(listing, now), size)
    following = following_page(request, str(found.window.last or ""))
    page = shapes.BatchPage(
        [batch_shape(request, batch) for batch in found.batches],
        following,
        [
            shapes.Workspace.of(health_of(workspace, now))
            for workspace in listing.selected_workspaces
        ],
    )
    return page_answer(page, following)


def get_batch(request: HttpRequest, api_id: str) -> HttpResponse:
    return detail_answer(request, visible_batch_or_404(request.user, api_id))


def label_batch(request: HttpRequest, api_id: str, body: shapes.LabelChange) -> HttpResponse:
    """Sets what is given, at once or, for a batch that is not mirrored yet, once it is seen."""
    given = labels_in(body)
    api_id, _, slug = api_id.partition("@")
    if body.workspace is not UNSET:
        if slug and slug != body.workspace:
            raise Problem("invalid-body", "“workspace” is not the one in the address.")
        slug = body.workspace
    who: dict[str, Any] = {"actor": request.user, "address": client_address(request)}
    address = f"{api_id}@{slug}" if slug else api_id
    try:
        batch = visible_batch_or_404(request.user, address)
    except Http404:
        workspace = workspace_for(request, api_id, slug)
        return label_later(request, workspace, api_id, given, who)
    change_labels(batch, given, **who)
    return detail_answer(request, batch)


def label_later(
    request: HttpRequest,
    workspace: Workspace,
    api_id: str,
    given: dict[str, str],
    who: dict[str, Any],
) -> HttpResponse:
    try:
        labeled = label_when_seen(workspace, api_id, given, **who)
    except TooManyPending as error:
        detail = f"{MOST_PENDING:,} batches of this workspace wait to be seen. Nothing was kept."
        raise Problem("too-many-pending", detail) from error
    if isinstance(labeled, PendingLabels):
        return answer(shapes.PendingLabels.of(labeled, workspace.slug), status=202)
    return detail_answer(request, visible_batch_or_404(request.user, api_id))


def labels_in(body: shapes.LabelChange) -> dict[str, str]:
    """What is given, cleaned as the page's form does. Raises Problem."""
    given = {name: value for name in Labels._fields if (value := getattr(body, name)) is not UNSET}
    if not given:
        raise Problem("invalid-body", "Give a label, an owner or a note. Nothing was changed.")
    form = LabelForm(given)
    if not form.is_valid():
        sentences = [
            f"{name}: {' '.join(map(str, problems))}" for name, problems in form.errors.items()
        ]
        detail = f"{' '.join(sentences)} Nothing was changed."
        raise Problem("invalid-body", detail, problems=sentences)
    return {name: form.cleaned_data[name] for name in given}


def workspace_for(request: HttpRequest, api_id: str, slug: str) -> Workspace:
    """Where to wait for a batch. Raises Http404 for what is no batch ID, and Problem."""
    if not is_whole_id(api_id):
        raise Http404
    workspaces = list(visible_workspaces(request.user))
    found = [each for each in workspaces if slug in {"", each.slug}]
    if len(found) == 1:
        return found[0]
    slugs = ", ".join(each.slug for each in workspaces) or "none"
    raise Problem(
        "invalid-body",
        "The batch is not mirrored yet, so “workspace” must be the slug of a workspace of this "
        f"token: {slugs}. Nothing was changed.",
    )


def cancel(request: HttpRequest, api_id: str, body: shapes.CancelRequest) -> HttpResponse:
    """Cancels as the button does. Doing it again changes nothing, and gets the same answer."""
    batch = visible_batch_or_404(request.user, api_id)
    form = ReasonForm({"reason": body.reason})
    if not form.is_valid():
        detail = f"reason: {form.errors['reason'][0]} Nothing was canceled."
        raise Problem("invalid-body", detail)
    try:
        cancellation = cancel_batch(
            batch,
            actor=request.user,
            address=client_address(request),
            reason=form.cleaned_data["reason"],
        )
    except AlreadyEnded as error:
        raise Problem("nothing-to-cancel", str(error)) from error
    match cancellation.state:
        case State.REFUSED:
            raise Problem(
                "cancel-refused",
                cancellation.error,
                anthropic_request_id=cancellation.request_id or None,
            )
        case State.OVERTAKEN:
            raise Problem("nothing-to-cancel", SENTENCES[State.OVERTAKEN])
    is_accepted = cancellation.state == State.ACCEPTED
    return detail_answer(request, batch, status=200 if is_accepted else 202)


def list_failures(request: HttpRequest, api_id: str) -> HttpResponse:
    size = limit_in(request.GET)
    batch = visible_batch_or_404(request.user, api_id)
    if not batch.has_figures:
        reason = "the batch is running" if batch.is_active else batch.get_results_state_display()
        return answer(shapes.FailurePage(None, None, reason, None))
    part = search_text(request.GET)
    kinds = kinds_of(batch, part)
    form = RequestsForm(request.GET, kinds)
    given = {"outcome": "", "type": ""} | form.chosen()
    problems = form.sentences()
    requests = matching_requests(batch, given["outcome"], given["type"], part)
    if after := request.GET.get("after"):
        last = last_shown(batch, after)
        if last is None:
            problems.append(NO_SUCH_PAGE)
        else:
            requests = requests.filter(rows_after({name: getattr(last, name) for name in ORDER}))
    refuse_problems(problems, IGNORED)
    rows = list(requests[: size + 1])
    following = following_page(request, str(rows[size - 1].pk) if len(rows) > size else "")
    found = count(kinds.found, given["outcome"], given["type"])
    page = shapes.FailurePage(
        [shapes.FailedRequest.of(row) for row in rows[:size]], found, None, following
    )
    return page_answer(page, following)


def batch_shape(request: HttpRequest, batch: Batch) -> shapes.Batch:
    return shapes.Batch.of(batch, request.build_absolute_uri(batch.get_absolute_url()))


def detail_answer(request: HttpRequest, batch: Batch, status: int = 200) -> HttpResponse:
    """The batch as it is now."""
    fresh = Batch.objects.for_cards().get(pk=batch.pk)
    # With the time when a worker was last seen.
    fresh.workspace, fresh.is_second = batch.workspace, batch.is_second
    workspace = shapes.Workspace.of(health_of(batch.workspace, clock.now()))
    return answer(shapes.BatchDetail(batch_shape(request, fresh), workspace), status)


LIST = Operation(
    list_batches,
    "Batches, a page at a time",
    scope="read",
    answers={200: (shapes.BatchPage, "A page of the list")},
    parameters=(
        *form_parameters(ListForm(QueryDict(), []).fields, LIST_FILTERS),
        LIMIT,
        AFTER,
    ),
)
GET = Operation(
    get_batch, "One batch", scope="read", answers={200: (shapes.BatchDetail, "The batch")}
)
LABEL = Operation(
    label_batch,
    "Set label, owner and note",
    scope="label",
    answers={
        200: (shapes.BatchDetail, "The batch as it is now"),
        202: (shapes.PendingLabels, "Not mirrored yet: kept for 48 hours, until it is seen"),
    },
    body=shapes.LabelChange,
    problems=("too-many-pending",),
)
CANCEL = Operation(
    cancel,
    "Cancel",
    scope="cancel",
    answers={
        200: (shapes.BatchDetail, "The API accepted it: the batch is canceling"),
        202: (shapes.BatchDetail, "Saved, but not confirmed by the API yet; Batchboard retries"),
    },
    body=shapes.CancelRequest,
    is_body_optional=True,
    problems=("nothing-to-cancel", "cancel-refused"),
)
FAILURES = Operation(
    list_failures,
    "Unsuccessful requests, a page at a time",
    scope="read",
    answers={200: (shapes.FailurePage, "A page of them")},
    parameters=(
        *form_parameters(RequestsForm(QueryDict(), Kinds()).fields, FAILURE_FILTERS),
        LIMIT,
        AFTER,
    ),
)
