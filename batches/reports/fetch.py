"""The vendor's cost report → rows, once an hour, where there is an ANTHROPIC_ADMIN_KEY."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from batches import connect
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

log = structlog.get_logger(__name__)

# This month and the one before, whichever they are.
FETCHED_DAYS = 62
EVERY = timedelta(hours=1)
# Together within models.report.FETCHING_CLAIM.
FETCH_SECONDS, NAMES_SECONDS = 150.0, 30.0
FIRST_WAIT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 3600.0
QUEUED_FOR = timedelta(minutes=1)
# What the column can hold.
LARGEST_SUM = Decimal(10) ** 14


class Fetched(NamedTuple):
    """A whole report: each day's and workspace's cost once, and what was told beside."""

    rows: list[ReportedCost]
    refreshed_at: datetime | None
    names: dict[str, str]


def fetch_report(now: datetime) -> bool:
    """Fetch the report, if an hour has passed, in place of what was there for the same days.

    True when rows were written: all of them, or none. Never raises what the API or the network
    did: the CostReport row tells. Does nothing without a key, or when somebody else is fetching.
    """
    if not settings.ANTHROPIC_ADMIN_KEY:
        return False
    claim = CostReport.objects.claim(now)
    if claim is None:
        return False
    until = now.astimezone(UTC).date()
    since = until - timedelta(days=FETCHED_DAYS - 1)
    try:
        fetched = _fetch(connect.admin_client(), since, until)
    except (ApiError, connect.NoKey) as error:
        _put_off(claim, now, error)
        return False
    return _write(claim, now, since, fetched)


def _fetch(client: ReportClient, since: date, until: date) -> Fetched:
    pages = list(client.iter_costs(since, until, within=FETCH_SECONDS))
    moments = [page.refreshed_at for page in pages if page.refreshed_at]
    return Fetched(
        rows=list(_summed(day for page in pages for day in page.days)),
        # What holds for all of them.
        refreshed_at=min(moments, default=None),
        names=_names(client),
    )


def _names(client: ReportClient) -> dict[str, str]:
    """The organisation's workspaces; none where the key may read the report alone."""
    try:
        return dict(client.workspaces(within=NAMES_SECONDS))
    except ApiRefused as error:
        log.warning("workspaces not told", error=str(error), request_id=error.request_id)
        return {}


def _summed(told: Iterable[ReportedDay]) -> Iterator[ReportedCost]:
    """One row for each day and workspace, however many the report has. Raises NotTheApi."""
    sums: dict[tuple[date, str], ReportedCost] = {}
    for each in told:
        row = sums.setdefault(
            (each.day, each.workspace_id),
            ReportedCost(
                day=each.day, api_workspace_id=each.workspace_id, amount=Decimal(0), requests=0
            ),
        )
        row.amount += each.amount
        # A part that is not known leaves the sum unknown.
        if row.requests is not None:
            row.requests = None if each.requests is None else row.requests + each.requests
    for row in sums.values():
        if abs(row.amount) >= LARGEST_SUM or (row.requests or 0) > LARGEST_COUNT:
            raise NotTheApi("its figures sum to more than there can be.")
    return iter(sums.values())


def _write(claim: datetime, now: datetime, since: date, fetched: Fetched) -> bool:
    with transaction.atomic():
        mine = CostReport.objects.select_for_update().filter(pk=1, claimed_until=claim)
        report = mine.first()
        if report is None:
            log.warning("report claim lost")
            return False
        # Between an older report and this one there may be days that neither has.
        is_gapless = report.fetched_at and report.fetched_at.astimezone(UTC).date() >= since
        covered = report.covers_since if is_gapless else None
        mine.update(
            fetched_at=now,
            refreshed_at=fetched.refreshed_at,
            covers_since=min(covered or since, since),
            workspace_names=fetched.names,
            next_at=now + EVERY,
            claimed_until=None,
            failures=0,
            error="",
            error_at=None,
            request_id="",
        )
        ReportedCost.objects.filter(day__gte=since).delete()
        ReportedCost.objects.bulk_create(fetched.rows, batch_size=1000)
    log.info("report fetched", rows=len(fetched.rows))
    return True


def _put_off(claim: datetime, now: datetime, error: Exception) -> None:
    """Keep the error and say when to try again; what was fetched before stands."""
    failures = CostReport.objects.the_one().failures + 1
    doubled = FIRST_WAIT_SECONDS * 2.0 ** min(failures - 1, 10)
    if isinstance(error, (KeyRefused, connect.NoKey)):
        # Only another key will do, and for that the process is started anew.
        doubled = LONGEST_WAIT_SECONDS
    asked = error.retry_after if isinstance(error, TryLater) else None
    wait = min(max(asked or 0.0, doubled), LONGEST_WAIT_SECONDS)
    CostReport.objects.filter(pk=1, claimed_until=claim).update(
        claimed_until=None,
        next_at=now + timedelta(seconds=wait),
        failures=failures,
        error=str(error)[:2000],
        error_at=now,
        request_id=getattr(error, "request_id", "")[:200],
    )
    log.warning("report not fetched", error=str(error), wait=wait)


def due_report(now: datetime) -> bool:
    """Whether to hand the fetching to a worker now; at most once a minute."""
    if not settings.ANTHROPIC_ADMIN_KEY:
        return False
    CostReport.objects.the_one()
    due = CostReport.objects.due(now).filter(
        Q(queued_at=None) | Q(queued_at__lt=now - QUEUED_FOR), pk=1
    )
    # Asked twice a second: without news nothing is written.
    return due.exists() and bool(due.update(queued_at=now))
