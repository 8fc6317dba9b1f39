"""The audit, page by page and as CSV."""

from functools import partial

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batches.models import AuditEvent
from dashboard.access import allow
from dashboard.audit.filters import PAGE_SIZE, AuditForm, AuditQuery, read_audit
from dashboard.audit.rows import CSV_HEADER, count_of, csv_rows, page_of
from dashboard.audit.visible import known_people
from dashboard.errors import invalid_filters
from dashboard.exports import csv_answer, file_name
from dashboard.recording import record_export


@allow("audit")
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    query = read_audit(request.GET, request.user)
    rows, following = page_of(query, PAGE_SIZE)
    context = {
        "query": query,
        "rows": rows,
        "following": following,
        "actions": AuditForm.actions,
        "names": known_people(request.user, query.workspaces)
        .order_by("username")
        .values_list("username", flat=True),
    }
    return render(request, "audit/audit.html", context)


@allow("audit")
@require_safe
def audit_csv(request: HttpRequest) -> HttpResponseBase:
    """All events that match the page's filters."""
    query = read_audit(request.GET, request.user)
    if query.problems:
        return invalid_filters(query.problems)
    # Everything before this export's own event.
    newest = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
    query.after = (newest or 0) + 1
    name = file_name("audit", query.chosen)
    record = partial(record_audit_export, request, query)
    return csv_answer(request, name, CSV_HEADER, csv_rows(query), record=record)


def record_audit_export(request: HttpRequest, query: AuditQuery) -> None:
    # Not the person's name: others may see this event who may not see that person.
    filters = {
        name: "someone" if name == "person" else value for name, value in query.chosen.items()
    }
    slug = query.chosen.get("workspace")
    chosen = [workspace for workspace in query.workspaces if workspace.slug == slug]
    record_export(request, "audit.csv", rows=count_of(query), filters=filters, workspaces=chosen)
