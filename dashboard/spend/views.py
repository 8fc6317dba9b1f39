"""What batches cost: the page, its CSVs and the FOCUS export."""

from datetime import UTC
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batches import clock
from batches.models.batch import RESULTS_KEPT
from batches.spend.totals import compute_spend, lost_next
from dashboard.access import allow, visible_workspaces
from dashboard.errors import invalid_filters, page
from dashboard.exports import csv_answer, file_name
from dashboard.health import health_of, notices
from dashboard.recording import record_export
from dashboard.spend.address import GROUPS, STACKS, Selection, read_selection
from dashboard.spend.focus import FOCUS_COLUMNS, ImpossibleExport, focus_context, read_export
from dashboard.spend.report import report_context
from dashboard.spend.sheets import batches_sheet, days_sheet, groups_sheet
from dashboard.spend.tables import SpendTables, fold_groups

MOST_GROUPS = 100
MOST_EXPIRING = 20


@allow("spend")
@require_safe
def spend(request: HttpRequest) -> HttpResponse:
    selection = read(request)
    tables = SpendTables(selection, compute_spend(selection.question))
    groups, folded_groups = fold_groups(tables.groups, MOST_GROUPS)
    now = clock.now()
    context = {
        "selection": selection,
        "tables": tables,
        "before": selection.period.before,
        "chart": tables.chart(),
        "groups": groups,
        "folded_groups": folded_groups,
        "group_title": GROUPS[selection.group],
        "group_links": links(selection, "group", GROUPS),
        "stack_links": links(selection, "stack", STACKS),
        "read_href": selection.batches(results="read"),
        "batches_href": selection.batches(),
        "groups_csv": selection.address("spend-csv", table="groups"),
        "days_csv": selection.address("spend-csv", table="days"),
        "batches_csv": selection.address("spend-csv", table="batches"),
        "focus": focus_context(selection, tables),
        "notices": notices([health_of(workspace, now) for workspace in selection.workspaces]),
        "report": report_context(
            selection.selected_workspaces,
            selection.period.since,
            selection.period.until,
            request.user,
        ),
        **expiring_context(selection),
    }
    return render(request, "spend/spend.html", context)


@allow("spend")
@require_safe
def spend_csv(request: HttpRequest) -> HttpResponseBase:
    """`table` says which: groups (the default), days or batches."""
    selection = read(request)
    if selection.problems:
        return invalid_filters(selection.problems)
    match request.GET.get("table", "groups"):
        case "groups":
            sheet = groups_sheet(SpendTables(selection, compute_spend(selection.question)))
        case "days":
            sheet = days_sheet(SpendTables(selection, compute_spend(selection.question)))
        case "batches":
            sheet = batches_sheet(selection)
        case _:
            raise Http404("Unknown table.")
    days = {"since": selection.period.since, "until": selection.period.until}
    name = file_name(f"spend-{sheet.name}", days)
    filters = {**selection.chosen, **days}

    def record() -> None:
        record_export(
            request,
            name,
            rows=sheet.count,
            filters=filters,
            workspaces=selection.selected_workspaces,
        )

    return csv_answer(request, name, sheet.header, sheet.rows, record=record)


@allow("spend")
@require_safe
def spend_focus(request: HttpRequest) -> HttpResponseBase:
    today = clock.now().astimezone(UTC).date()
    try:
        export = read_export(request.GET, visible_workspaces(request.user), today)
    except ImpossibleExport as error:
        return page(
            400,
            "Unknown export",
            str(error),
            "Correct the address, or use the link on the spend page.",
        )
    name = export.file_name

    def record() -> None:
        record_export(request, name, filters=export.chosen, workspaces=export.workspaces)

    return csv_answer(request, name, FOCUS_COLUMNS, export.rows(), record=record)


def read(request: HttpRequest) -> Selection:
    today = clock.now().astimezone(UTC).date()
    return read_selection(request.GET, list(visible_workspaces(request.user)), today)


def links(selection: Selection, name: str, titles: dict[str, str]) -> list[tuple[str, str, bool]]:
    """Title, address and whether it is the current one, for each value of a choice."""
    current = getattr(selection, name)
    return [
        (title, selection.address(**{name: value}), value == current)
        for value, title in titles.items()
    ]


def expiring_context(selection: Selection) -> dict[str, Any]:
    """Results about to expire in all of the person's workspaces, whatever the period."""
    expiring = lost_next(selection.workspaces, clock.now())
    shown = list(expiring.with_workspace().defer("raw")[:MOST_EXPIRING])
    count = len(shown) if len(shown) < MOST_EXPIRING else expiring.count()
    return {
        "expiring": shown,
        "expiring_count": count,
        "results_kept_days": RESULTS_KEPT.days,
    }
