"""The FOCUS export of a month."""

from datetime import UTC

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from batches import clock
from dashboard.access import allow, visible_workspaces
from dashboard.audit.recording import record_export
from dashboard.exports import csv_answer
from dashboard.spend.focus import FOCUS_COLUMNS, BadExport, read_export
from dashboard.views.errors import page


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
