"""Batchboard's figures against Anthropic's cost report for passes, tiers and unknown usage fields.

The sandbox bills with prices and arithmetic of its own.
"""

from datetime import timedelta

import pytest

from batches.models import Batch, BatchUsage, CostReport, Workspace
from batches.pricing import PriceTable
from batches.reports.reconcile import reconcile
from batches.sandbox.quirks import ADVISOR
from batches.spend.costs import cost_of
from tests.batches.reports.reconciling import DAYS, TODAY

pytestmark = pytest.mark.usefixtures("at_noon")


def test_passes_tiers_and_odd_text_leave_no_gap_in_a_month(
    sandbox, ended, workspace, other_workspace, compare
):
    quirks = ["passes", "standard", "stops", "surrogates"]
    for days in range(1, DAYS + 1):
        key = sandbox.key if days % 3 else sandbox.other_key
        models = [["claude-haiku-5-5"], ["claude-sonnet-5"], []][days % 3]
        ended(TODAY - timedelta(days=days), key=key, requests=60, quirks=quirks, models=models)

    total = compare(workspace, other_workspace).total

    usage = BatchUsage.objects
    assert {row.part for row in usage.all()} == {"message", "compaction", "advisor"}
    assert usage.filter(tier="standard", requests__gt=0).exists()
    assert {row.prompt_over > 0 for row in usage.filter(model="claude-haiku-5-5")} == {True, False}
    assert len({line.day for line in total.lines}) == DAYS
    assert (total.gap, total.has_gap) == (0, False)
    assert total.computed == sum(sandbox.billed(name) for name in sandbox.batches)


@pytest.mark.parametrize("quirk", ["priority", "fast", "future-step", "future-tokens"])
def test_only_requests_whose_cost_is_not_known_are_missing_from_the_computed_figure(
    sandbox, ended, workspace, compare, quirk
):
    plain, odd = ended(requests=90), ended(requests=90, quirks=[quirk])

    total = compare(workspace).total

    costs = {batch.api_id: cost_of(batch) for batch in Batch.objects.all()}
    assert costs[plain].total == sandbox.billed(plain)
    assert (costs[odd].state, costs[odd].known_requests) == ("unpriced", 81)
    assert total.gap == sandbox.billed(odd) - costs[odd].known > 0


@pytest.mark.parametrize(
    ("quirk", "kind", "has_unpriced"),
    [
        ("standard", "off_tier", False),
        ("priority", "off_tier", True),
        ("fast", "off_tier", True),
        ("future-step", "unknown_fields", True),
        ("future-tokens", "unknown_fields", True),
    ],
)
def test_usage_with_other_prices_explains_a_gap_first(
    ended, workspace, compare, quirk, kind, has_unpriced
):
    ended(requests=90, quirks=[quirk])
    unread = ended(requests=7)

    first, second = compare(workspace, unread=[unread]).total.reasons

    assert (first.kind, first.batches, first.requests) == (kind, 1, 9)
    assert first.share.has_unpriced is has_unpriced
    assert (first.share.amount == 0) is has_unpriced
    assert second.kind == "unread"


def test_advisors_and_compactions_explain_a_gap_first(ended, workspace, compare):
    ended(requests=300, quirks=["passes"])
    unread = ended(requests=7)

    advisor, compaction, last = compare(workspace, unread=[unread]).total.reasons

    assert (advisor.kind, compaction.kind, last.kind) == ("advisor", "compaction", "unread")
    # 30 requests have several passes; the rest of those are tool loops.
    assert 0 < advisor.requests + compaction.requests < 30
    assert advisor.share.amount > 0 < compaction.share.amount


def test_without_such_usage_only_the_unread_batch_explains_a_gap(ended, workspace, compare):
    ended(requests=90, quirks=["stops", "surrogates"])
    unread = ended(requests=7)

    assert [each.kind for each in compare(workspace, unread=[unread]).total.reasons] == ["unread"]


def test_an_advisor_without_a_price_is_the_whole_gap(sandbox, ended, workspace, compare, settings):
    table = settings.BATCHBOARD_PRICE_TABLE
    settings.BATCHBOARD_PRICE_TABLE = PriceTable(
        [price for price in table.prices if price.model != ADVISOR]
    )
    ended(requests=300, quirks=["passes"], models=["claude-haiku-5-5"])

    total = compare(workspace).total

    # The compactions have a price, so they may account for a part of it.
    assert [(each.kind, each.share) for each in total.reasons] == [
        ("advisor", (0, True)),
        ("compaction", (total.reasons[1].share.amount, False)),
    ]


def test_a_request_missing_from_the_file_is_missing_from_the_computed_figure(
    sandbox, ended, workspace, compare
):
    name = ended(requests=30, quirks=["repeated"])

    total = compare(workspace).total

    cost = cost_of(Batch.objects.get())
    assert (cost.state, cost.known_requests, cost.requests) == ("incomplete", 29, 30)
    assert 0 < total.gap < sandbox.billed(name)


def test_a_batch_that_two_keys_list_counts_once(sandbox, ended, workspace, compare):
    again = Workspace.objects.create(
        name="Again", slug="again", base_url="http://sandbox", api_key=sandbox.key
    )
    ended(requests=90, quirks=["fast"])

    (reason,) = compare(workspace, again).total.reasons

    assert Batch.objects.count() == 2
    assert (reason.kind, reason.batches, reason.requests) == ("off_tier", 1, 9)


def test_usage_with_other_prices_takes_one_query_more_for_any_number_of_days(
    ended, workspace, compare, django_assert_num_queries
):
    for days in range(1, 9):
        ended(TODAY - timedelta(days=days), quirks=["passes", "fast", "future-tokens"])
    compare(workspace)
    report = CostReport.objects.get()
    since = TODAY - timedelta(days=DAYS)

    with django_assert_num_queries(5):
        reconcile(report, {workspace.pk}, since, TODAY, visible={workspace.pk})
