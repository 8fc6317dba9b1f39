"""Who did what: the audit, page by page and as CSV."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batches.costs import cost_of
from batches.models import AuditEvent, Batch
from dashboard.access import allow, visible_workspaces
from dashboard.exports import csv_answer, in_blocks, usd
from dashboard.listing import read_listing

PAGE_SIZE = 100


class AuditForm(forms.Form):
    q = forms.CharField(required=False, max_length=200)
    after = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


@allow("audit")
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    events, form = matching_events(request)
    if form.cleaned_data.get("after"):
        events = events.filter(pk__lt=form.cleaned_data["after"])
    rows = list(events[: PAGE_SIZE + 1])
    context = {
        "events": rows[:PAGE_SIZE],
        "following": rows[PAGE_SIZE - 1].pk if len(rows) > PAGE_SIZE else "",
        "q": form.cleaned_data.get("q", ""),
        "problems": [error for errors in form.errors.values() for error in errors],
    }
    return render(request, "audit/audit.html", context)


@allow("audit")
@require_safe
def audit_csv(request: HttpRequest) -> HttpResponseBase:
    events, _ = matching_events(request)
    columns = (
        "at", "actor", "address", "action", "workspace", "batch_api_id", "reason", "outcome",
        "request_id",
    )  # fmt: skip
    header = ("at (UTC)", *columns[1:])
    rows = (tuple(getattr(event, name) for name in columns) for event in in_blocks(events))
    return csv_answer(request, "audit.csv", header, rows)


@allow("export")
@require_safe
def batches_csv(request: HttpRequest) -> HttpResponseBase:
    """The list with the page's own filters, all pages of it."""
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    columns = (
        "api_id", "processing_status", "outcome", "processing", "succeeded", "errored", "canceled",
        "expired", "created_at", "expires_at", "ended_at", "cancel_initiated_at", "archived_at",
        "label", "owner", "note",
    )  # fmt: skip
    named = (f"{column} (UTC)" if column.endswith("_at") else column for column in columns)
    header = ("workspace", *named, "cost state", "cost (USD)")
    batches = listing.matching().with_workspace().order_by("-created_at", "-id")
    return csv_answer(request, "batches.csv", header, batch_rows(batches, columns))


def batch_rows(batches: QuerySet[Batch], columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    lean = batches.defer("raw").prefetch_related("usage")
    for batch in in_blocks(lean):
        cost = cost_of(batch)
        told = (getattr(batch, name) for name in columns)
        yield (batch.workspace.name, *told, cost.state, usd(cost.total))


def matching_events(request: HttpRequest) -> tuple[QuerySet[AuditEvent], AuditForm]:
    """Newest first; of the workspaces that the person is a member of."""
    form = AuditForm(request.GET)
    form.is_valid()
    events = AuditEvent.objects.order_by("-pk")
    if not request.user.is_superuser:
        mine = list(visible_workspaces(request.user).values_list("pk", flat=True))
        events = events.filter(workspace_id__in=mine)
    wanted = form.cleaned_data.get("q")
    if wanted:
        events = events.filter(
            Q(batch_api_id__startswith=wanted.replace(" ", ""))
            | Q(actor__icontains=wanted)
            | Q(action__icontains=wanted)
        )
    return events, form
