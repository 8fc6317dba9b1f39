"""The list as CSV."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from batches.models import Batch
from batches.spend.costs import cost_of
from dashboard.access import allow, visible_workspaces
from dashboard.cost_words import COST_COLUMNS, cost_cells
from dashboard.errors import invalid_filters
from dashboard.exports import csv_answer, file_name, in_blocks
from dashboard.list.listing import read_listing
from dashboard.recording import record_export


@allow("export")
@require_safe
def batches_csv(request: HttpRequest) -> HttpResponseBase:
    """Every batch that the page's filters select, on all of its pages."""
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    if listing.problems:
        return invalid_filters(listing.problems)
    columns = (
        "api_id", "processing_status", "outcome", "processing", "succeeded", "errored", "canceled",
        "expired", "created_at", "expires_at", "ended_at", "cancel_initiated_at", "archived_at",
        "label", "owner", "note",
    )  # fmt: skip
    named = (f"{column} (UTC)" if column.endswith("_at") else column for column in columns)
    header = ("workspace", *named, "resubmits", *COST_COLUMNS)
    batches = listing.matching().with_workspace().order_by("-created_at", "-id")
    name = file_name("batches", listing.chosen)

    def record() -> None:
        record_export(
            request,
            "batches.csv",
            rows=listing.matching().count(),
            filters=listing.chosen,
            workspaces=listing.selected_workspaces,
        )

    return csv_answer(request, name, header, csv_rows(batches, columns), record=record)


def csv_rows(batches: QuerySet[Batch], columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    resubmitted = Prefetch("resubmits", Batch.objects.only("api_id"))
    lean = batches.defer("raw").prefetch_related("usage", resubmitted)
    for batch in in_blocks(lean):
        cost = cost_of(batch)
        values = (getattr(batch, name) for name in columns)
        resubmits = batch.resubmits.api_id if batch.resubmits else ""
        yield (batch.workspace.name, *values, resubmits, *cost_cells(batch, cost))
