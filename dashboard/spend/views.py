"""What batches cost: the page, and the CSVs that equal it."""

from datetime import UTC
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batches import clock
from batches.models.batch import RESULTS_KEPT
from batches.pricing import BATCH_FACTOR
from batches.spend.totals import lost_next
from batches.spend.totals import spend as spend_of
from dashboard.access import allow, visible_workspaces
from dashboard.errors import invalid_filters, page
from dashboard.exports import csv_answer, file_name
from dashboard.health import health_of, notices
from dashboard.recording import record_export
from dashboard.spend.address import GROUPS, STACKS, Spending, read_spending
from dashboard.spend.focus import FOCUS_COLUMNS, BadExport, focus_context, read_export
from dashboard.spend.report import report_context
from dashboard.spend.sheets import batches_sheet, days_sheet, groups_sheet
from dashboard.spend.tables import Tables, folded

MOST_GROUPS = 100
MOST_LOST = 20


@allow("spend")
@require_safe
def spend(request: HttpRequest) -> HttpResponse:
    asked = read(request)
    tables = Tables(asked, spend_of(asked.question))
    groups, folded_groups = folded(tables.groups, MOST_GROUPS)
    now = clock.now()
    context = {
        "asked": asked,
        "tables": tables,
        "before": asked.period.before,
        "chart": tables.chart(),
        "groups": groups,
        "folded_groups": folded_groups,
        "group_title": GROUPS[asked.group],
        "group_links": links(asked, "group", GROUPS),
        "stack_links": links(asked, "stack", STACKS),
        "read_href": asked.batches(results="read"),
        "batches_href": asked.batches(),
        "groups_csv": asked.address("spend-csv", table="groups"),
        "days_csv": asked.address("spend-csv", table="days"),
        "batches_csv": asked.address("spend-csv", table="batches"),
        "batch_factor": BATCH_FACTOR,
        "focus": focus_context(asked, tables),
        "notices": notices([health_of(workspace, now) for workspace in asked.workspaces]),
        "report": report_context(
            asked.asked_for, asked.period.since, asked.period.until, request.user
        ),
        **lost_context(asked),
    }
    return render(request, "spend/spend.html", context)


@allow("spend")
@require_safe
def spend_csv(request: HttpRequest) -> HttpResponseBase:
    """`table` says which: groups (the default), days or batches."""
    asked = read(request)
    if asked.problems:
        return invalid_filters(asked.problems)
    match request.GET.get("table", "groups"):
        case "groups":
            sheet = groups_sheet(Tables(asked, spend_of(asked.question)))
        case "days":
            sheet = days_sheet(Tables(asked, spend_of(asked.question)))
        case "batches":
            sheet = batches_sheet(asked)
        case _:
            raise Http404("There is no such table.")
    days = {"since": asked.period.since, "until": asked.period.until}
    name = file_name(f"spend-{sheet.name}", days)
    filters = {**asked.chosen, **days}

    def record() -> None:
        record_export(request, name, rows=sheet.count, filters=filters, workspaces=asked.asked_for)

    return csv_answer(request, name, sheet.header, sheet.rows, record=record)


@allow("spend")
@require_safe
def spend_focus(request: HttpRequest) -> HttpResponseBase:
    today = clock.now().astimezone(UTC).date()
    try:
        export = read_export(request.GET, visible_workspaces(request.user), today)
    except BadExport as error:
        return page(
            400,
            "There is no such export",
            str(error),
            "Correct the address, or use the link on the spend page.",
        )
    name = export.file_name

    def record() -> None:
        record_export(request, name, filters=export.chosen, workspaces=export.asked_for)

    return csv_answer(request, name, FOCUS_COLUMNS, export.rows(), record=record)


def read(request: HttpRequest) -> Spending:
    today = clock.now().astimezone(UTC).date()
    return read_spending(request.GET, list(visible_workspaces(request.user)), today)


def links(asked: Spending, name: str, titles: dict[str, str]) -> list[tuple[str, str, bool]]:
    """Title, address and whether it is the present one, for each value of a choice."""
    current = getattr(asked, name)
    return [
        (title, asked.address(**{name: value}), value == current) for value, title in titles.items()
    ]


def lost_context(asked: Spending) -> dict[str, Any]:
    """The results that will be lost next in all of the person's workspaces, whatever the period."""
    ahead = lost_next(asked.workspaces, clock.now())
    shown = list(ahead.with_workspace().defer("raw")[:MOST_LOST])
    count = len(shown) if len(shown) < MOST_LOST else ahead.count()
    return {
        "lost_next": shown,
        "lost_count": count,
        "results_kept_days": RESULTS_KEPT.days,
    }
