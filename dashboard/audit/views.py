"""Who did what: the audit, page by page and as CSV."""

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
    asked = read_audit(request.GET, request.user)
    rows, following = page_of(asked, PAGE_SIZE)
    context = {
        "asked": asked,
        "rows": rows,
        "following": following,
        "actions": AuditForm.actions,
        "names": known_people(request.user, asked.workspaces)
        .order_by("username")
        .values_list("username", flat=True),
    }
    return render(request, "audit/audit.html", context)


@allow("audit")
@require_safe
def audit_csv(request: HttpRequest) -> HttpResponseBase:
    """Every page of the audit with the page's own filters."""
    asked = read_audit(request.GET, request.user)
    if asked.problems:
        return invalid_filters(asked.problems)
    # Without the event of this export itself.
    newest = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
    asked.after = (newest or 0) + 1
    name = file_name("audit", asked.chosen)
    record = partial(record_audit_export, request, asked)
    return csv_answer(request, name, CSV_HEADER, csv_rows(asked), record=record)


def record_audit_export(request: HttpRequest, asked: AuditQuery) -> None:
    # Whose events they were stays out of the words: others may read these, but not that name.
    shown = {name: "someone" if name == "person" else value for name, value in asked.chosen.items()}
    slug = asked.chosen.get("workspace")
    chosen = [workspace for workspace in asked.workspaces if workspace.slug == slug]
    record_export(request, "audit.csv", rows=count_of(asked), filters=shown, workspaces=chosen)
