"""Fixtures that compare Batchboard's figures with Anthropic's cost report."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import pytest
import time_machine

from batches.models import Batch, CostReport, Workspace
from batches.reports.fetch import fetch_report
from batches.reports.reconcile import Comparison, reconcile
from tests.batches.reports.reconciling import DAYS, NOON, TODAY, YESTERDAY, at
from tests.working import claim, read_now


@pytest.fixture
def at_noon(settings, db) -> Iterator[None]:
    """It is noon, and the cost report is fetched from the sandbox."""
    settings.ANTHROPIC_ADMIN_KEY = "sandbox-admin"
    settings.ANTHROPIC_BASE_URL = "http://sandbox"
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def ended(sandbox) -> Callable[..., str]:
    """A function that adds a batch to the API that ran for half an hour on a day."""

    def ended(day: date = YESTERDAY, *, hour: int = 8, **details) -> str:
        half_an_hour = {"duration": timedelta(minutes=30)}
        return sandbox.add_batch(status="ended", created_at=at(day, hour), **half_an_hour | details)

    return ended


@pytest.fixture
def compare(sync) -> Callable[..., Comparison]:
    """A function: sync and read all batches but `unread`, fetch the cost report, then compare."""

    def compare(*workspaces: Workspace, unread=(), visible=None) -> Comparison:
        for workspace in Workspace.objects.all():
            assert sync(workspace)
        assert all(read_now(batch) for batch in Batch.objects.exclude(api_id__in=unread))
        assert fetch_report(claim(CostReport.objects.the_one()))
        keys = {workspace.pk for workspace in workspaces}
        visible = keys if visible is None else {each.pk for each in visible}
        since = TODAY - timedelta(days=DAYS)
        return reconcile(CostReport.objects.get(), keys, since, TODAY, visible=visible)

    return compare
