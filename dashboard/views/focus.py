"""The FOCUS export of a month."""

from datetime import UTC

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from batches import clock
from dashboard.access import allow, visible_workspaces
from dashboard.csv_cells import csv_blocks
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
    answer = StreamingHttpResponse(
        csv_blocks(FOCUS_COLUMNS, export.rows(), with_bom=export.with_bom),
        content_type="text/csv; charset=utf-8",
    )
    answer["Content-Disposition"] = f'attachment; filename="{export.filename}"'
    answer["Cache-Control"] = "private, no-store"
    return answer
