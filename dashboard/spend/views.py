"""What batches cost: the page, its CSVs and the FOCUS export."""

from datetime import UTC, date
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batches import clock
from batches.models.batch import RESULTS_KEPT
from batches.spend.totals import compute_spend, first_day, lost_next
from dashboard.access import allow, visible_workspaces
from dashboard.errors import invalid_filters, page
from dashboard.exports import csv_answer, file_name
from dashboard.health import health_of, notices
from dashboard.recording import record_export
from dashboard.spend.address import (
    ALL_GROUPS,
    FOLDED_FILTERS,
    GROUPS,
    STACKS,
    Selection,
    read_selection,
)
from dashboard.spend.focus import FOCUS_COLUMNS, ImpossibleExport, focus_context, read_export
from dashboard.spend.folding import fold_groups
from dashboard.spend.months import EARLIEST, month_key, month_words, months_between
from dashboard.spend.report import as_on_page, report_context, report_tile
from dashboard.spend.sheets import batches_sheet, days_sheet, groups_sheet
from dashboard.spend.tables import SpendTables

FEW_GROUPS, MOST_GROUPS = 10, 500
MOST_EXPIRING = 20


@allow("spend")
@require_safe
def spend(request: HttpRequest) -> HttpResponse:
    selection = read(request)
    report = read_report(request, selection)
    tables = make_tables(selection, report)
    as_on_page(report, {row.day: row.amount for row in tables.days})
    most = MOST_GROUPS if selection.shows_all_groups else FEW_GROUPS
    groups, folded_groups = fold_groups(tables.groups, most)
    now = clock.now()
    context = {
        "selection": selection,
        "tables": tables,
        "now": now,
        "months": month_choices(selection, first_day(selection.workspaces)),
        "finance": finance_links(selection),
        "before": selection.period.before,
        "chart": tables.chart(),
        "groups": groups,
        "all_groups_href": f"{selection.address(groups=ALL_GROUPS)}#by-group",
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
        "report": report,
        "report_tile": report_tile(report, selection, tables.total),
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
            sheet = groups_sheet(make_tables(selection, read_report(request, selection)))
        case "days":
            sheet = days_sheet(make_tables(selection))
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


def read_report(request: HttpRequest, selection: Selection) -> dict[str, Any] | None:
    period = selection.period
    return report_context(selection.selected_workspaces, period.since, period.until, request.user)


def make_tables(selection: Selection, report: dict[str, Any] | None = None) -> SpendTables:
    comparison = report["comparison"] if report else None
    return SpendTables(selection, compute_spend(selection.question), comparison)


def month_choices(selection: Selection, first: date | None) -> list[tuple[str, str, bool]]:
    """The value and the words of each month since the first batch, and if the page shows it."""
    shown = selection.last_month if selection.is_month else None
    first = max(EARLIEST, min(first or selection.today, selection.today))
    return [
        (month_key(month), month_words(month), month == shown)
        for month in months_between(first, selection.today)
    ]


def finance_links(selection: Selection) -> dict[str, str]:
    """A month as a document and as a CSV: by workspace, without filters except the workspace."""
    month = month_key(selection.last_month)
    changes = {
        **dict.fromkeys(FOLDED_FILTERS),
        "month": month,
        "group": "workspace",
        "stack": "workspace",
    }
    return {
        "month": month_words(selection.last_month),
        "page": f"{selection.address(**changes, groups=ALL_GROUPS)}#print",
        "csv": selection.address("spend-csv", **changes, groups=None, table="groups"),
    }


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
