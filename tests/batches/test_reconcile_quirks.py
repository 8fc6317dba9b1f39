"""Our figures against Anthropic's cost report for passes, tiers and unknown usage fields.

The sandbox bills them by prices and arithmetic of its own.
"""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from batches.costs import cost_of
from batches.models import Batch, BatchUsage, CostReport, Workspace
from batches.reports.fetch import fetch_report
from batches.reports.reconcile import Sums, reconcile
from tests.working import claim, ingest

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
# Longer ago the API no longer has results.
DAYS = 28


@pytest.fixture(autouse=True)
def _at_noon(settings, db):
    settings.ANTHROPIC_ADMIN_KEY = "sandbox-admin"
    settings.ANTHROPIC_BASE_URL = "http://sandbox"
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def ended(sandbox):
    """A function that adds a batch of so many days ago to the API."""

    def ended(days_ago: int, **details) -> str:
        created_at = NOON - timedelta(days=days_ago, hours=4)
        half_an_hour = timedelta(minutes=30)
        return sandbox.add_batch(
            status="ended", created_at=created_at, duration=half_an_hour, **details
        )

    return ended


@pytest.fixture
def compare(sync):
    """A function: sync, read and fetch all there is, then compare all of these days."""

    def compare() -> Sums:
        workspaces = list(Workspace.objects.all())
        assert all(sync(workspace) for workspace in workspaces)
        assert all(ingest(batch) for batch in Batch.objects.all())
        assert fetch_report(claim(CostReport.objects.the_one()))
        mine = {workspace.pk for workspace in workspaces}
        since = NOON.date() - timedelta(days=DAYS)
        report = CostReport.objects.get()
        return reconcile(report, mine, since, NOON.date(), visible=mine).total

    return compare


def test_passes_tiers_and_odd_text_leave_no_gap_in_a_month(
    sandbox, ended, workspace, other_workspace, compare
):
    quirks = ["passes", "standard", "stops", "surrogates"]
    for days in range(1, DAYS + 1):
        key = sandbox.key if days % 3 else sandbox.other_key
        models = [["claude-haiku-5-5"], ["claude-sonnet-5"], []][days % 3]
        ended(days, key=key, requests=60, quirks=quirks, models=models)

    total = compare()

    usage = BatchUsage.objects
    assert {row.part for row in usage.all()} == {"message", "compaction", "advisor"}
    assert usage.filter(tier="standard", requests__gt=0).exists()
    assert {row.prompt_over > 0 for row in usage.filter(model="claude-haiku-5-5")} == {True, False}
    assert len({line.day for line in total.lines}) == DAYS
    assert (total.gap, total.has_gap) == (0, False)
    assert total.computed == sum(sandbox.billed(name) for name in sandbox.batches)


@pytest.mark.parametrize("quirk", ["priority", "fast", "future-step", "future-tokens"])
def test_requests_whose_cost_is_not_known_are_missing_from_ours_and_nothing_else(
    sandbox, ended, workspace, compare, quirk
):
    plain, odd = ended(1, requests=90), ended(1, requests=90, quirks=[quirk])

    total = compare()

    costs = {batch.api_id: cost_of(batch) for batch in Batch.objects.all()}
    assert costs[plain].total == sandbox.billed(plain)
    assert (costs[odd].state, costs[odd].known_requests) == ("unpriced", 81)
    assert total.gap == sandbox.billed(odd) - costs[odd].known > 0


def test_a_request_that_is_missing_from_the_file_is_missing_from_ours(
    sandbox, ended, workspace, compare
):
    name = ended(1, requests=30, quirks=["repeated"])

    total = compare()

    cost = cost_of(Batch.objects.get())
    assert (cost.state, cost.known_requests, cost.requests) == ("incomplete", 29, 30)
    assert 0 < total.gap < sandbox.billed(name)
