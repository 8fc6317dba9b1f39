"""Stores Anthropic's cost report once an hour, where there is an ANTHROPIC_ADMIN_KEY."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import structlog
from django.conf import settings
from django.db import transaction

from batches import clock, connect
from batches.client import (
    ApiError,
    ApiRefused,
    KeyRefused,
    NotTheApi,
    ReportClient,
    ReportedDay,
    TryLater,
)
from batches.client.types import LARGEST_COUNT
from batches.models import CostReport, ReportedCost
from batches.models.report import CostReportQuerySet
from batches.models.workspace import REFUSED_SECONDS

log = structlog.get_logger(__name__)

# Enough for this month and the previous one.
FETCHED_DAYS = 62
EVERY = timedelta(hours=1)
FETCH_SECONDS, NAMES_SECONDS = 150.0, 30.0
# What the column can hold.
LARGEST_SUM = Decimal(10) ** 14


class Fetched(NamedTuple):
    """Anthropic's cost report: one row for each day and workspace, and the workspaces' names."""

    rows: list[ReportedCost]
    refreshed_at: datetime | None
    names: dict[str, str]


def fetch_report(report: CostReport) -> bool:
    """Fetch Anthropic's cost report for a claimed row and replace the stored rows of its days.

    Returns whether rows were written: either all are, or none. Errors of the API and the network
    are stored in `report`, not raised. Raises ClaimLost.
    """
    now = clock.now()
    until = now.astimezone(UTC).date()
    since = until - timedelta(days=FETCHED_DAYS - 1)
    try:
        fetched = _fetch(connect.admin_client(), since, until)
    except (ApiError, connect.CannotCall) as error:
        _put_off(report, error)
        return False
    _write(report, now, since, fetched)
    return True


def _fetch(client: ReportClient, since: date, until: date) -> Fetched:
    pages = list(client.iter_costs(since, until, within=FETCH_SECONDS))
    moments = [page.refreshed_at for page in pages if page.refreshed_at]
    return Fetched(
        rows=list(_summed(day for page in pages for day in page.days)),
        # All pages are at least this recent.
        refreshed_at=min(moments, default=None),
        names=_names(client),
    )


def _names(client: ReportClient) -> dict[str, str]:
    """The names of the organization's workspaces; none if the key may not list them."""
    try:
        return dict(client.workspaces(within=NAMES_SECONDS))
    except ApiRefused as error:
        log.warning("workspaces not listed", error=str(error), request_id=error.request_id)
        return {}


def _summed(days: Iterable[ReportedDay]) -> Iterator[ReportedCost]:
    """One row for each day and workspace, of which the report may have several.

    Raises NotTheApi for figures that are too large to be true.
    """
    sums: dict[tuple[date, str], ReportedCost] = {}
    for each in days:
        row = sums.setdefault(
            (each.day, each.workspace_id),
            ReportedCost(
                day=each.day, api_workspace_id=each.workspace_id, amount=Decimal(0), requests=0
            ),
        )
        row.amount += each.amount
        # With one unknown part, the sum is unknown.
        if row.requests is not None:
            row.requests = None if each.requests is None else row.requests + each.requests
    for row in sums.values():
        if abs(row.amount) >= LARGEST_SUM or (row.requests or 0) > LARGEST_COUNT:
            raise NotTheApi("its figures sum to more than is possible.")
    return iter(sums.values())


def _write(report: CostReport, now: datetime, since: date, fetched: Fetched) -> None:
    """Raises ClaimLost."""
    with transaction.atomic():
        # There may be days between the previous report and this one that neither covers.
        is_gapless = report.fetched_at and report.fetched_at.astimezone(UTC).date() >= since
        covered = report.covers_since if is_gapless else None
        report.done(
            now,
            seconds=EVERY.total_seconds(),
            fetched_at=now,
            refreshed_at=fetched.refreshed_at,
            covers_since=min(covered or since, since),
            workspace_names=fetched.names,
        )
        ReportedCost.objects.filter(day__gte=since).delete()
        ReportedCost.objects.bulk_create(fetched.rows, batch_size=1000)
    log.info("cost report fetched", rows=len(fetched.rows))


def _put_off(report: CostReport, error: Exception) -> None:
    """Store the error and when to try again; rows that were fetched before are kept."""
    at_least = 0.0
    if isinstance(error, KeyRefused):
        at_least = REFUSED_SECONDS
    elif isinstance(error, TryLater):
        at_least = error.retry_after or 0.0
    request_id = error.request_id if isinstance(error, ApiError) else ""
    wait = report.put_off(clock.now(), str(error), request_id=request_id, at_least=at_least)
    log.warning("cost report not fetched", error=str(error), wait=wait)


def due_reports(now: datetime) -> CostReportQuerySet:
    """The row of Anthropic's cost report, if it is due and this process has an Admin key."""
    if not settings.ANTHROPIC_ADMIN_KEY:
        return CostReport.objects.none()
    CostReport.objects.the_one()
    return CostReport.objects.due(now)
