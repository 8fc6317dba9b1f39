"""Batchboard's figures against Anthropic's cost report: gaps, and what explains them."""

from datetime import date, timedelta

import pytest

from batches import clock
from batches.models import Batch, CostReport, ReportedCost, Workspace
from batches.pricing import PriceTable
from batches.reports.reconcile import reconcile
from batches.results.reading import mark_lost
from tests.batches.reports.reconciling import (
    TODAY,
    YESTERDAY,
    at,
    compared,
    only_line,
    read,
    reasons,
    reported,
)

pytestmark = pytest.mark.usefixtures("at_noon")


def test_no_day_has_a_gap_when_all_is_read(sandbox, ended, workspace, other_workspace, compare):
    for days in range(1, 6):
        for key in sandbox.keys:
            ended(TODAY - timedelta(days=days), key=key, requests=40, errored=5, odd_lines=True)

    comparison = compare(workspace, other_workspace)

    assert len(comparison.days) == 5
    assert [line.gap for day in comparison.days for line in day.lines] == [0] * 10
    assert comparison.total.gap == 0
    assert comparison.total.computed == sum(sandbox.billed(name) for name in sandbox.batches)
    assert comparison.total.reasons == ()


def test_the_gap_is_the_cost_of_the_batch_that_is_not_read(sandbox, ended, workspace, compare):
    missing = ended(requests=7)
    ended()
    ended(TODAY - timedelta(days=2))

    comparison = compare(workspace, unread=[missing])

    line = only_line(comparison)
    assert (line.day, line.gap) == (YESTERDAY, sandbox.billed(missing))
    assert comparison.total.gap == sandbox.billed(missing)
    assert reasons(line) == [("unread", 1, 7)]


def test_a_batch_deleted_before_it_was_mirrored_counts_as_not_mirrored(
    sandbox, ended, workspace, compare
):
    ended()
    deleted = ended(requests=7)
    sandbox.billed(deleted)
    sandbox.remove(deleted)

    line = only_line(compare(workspace))

    assert line.gap == sandbox.billed(deleted)
    assert reasons(line) == [("not_mirrored", 0, 7)]


def test_a_day_without_any_mirrored_batch_is_explained(sandbox, ended, workspace, compare):
    deleted = ended(requests=7)
    sandbox.billed(deleted)
    sandbox.remove(deleted)

    line = only_line(compare(workspace))

    assert (line.day, line.computed, line.gap) == (YESTERDAY, 0, sandbox.billed(deleted))
    assert reasons(line) == [("not_mirrored", 0, 7)]


def test_a_model_without_a_price_explains_its_whole_cost(
    sandbox, ended, workspace, compare, settings
):
    table = settings.BATCHBOARD_PRICE_TABLE
    settings.BATCHBOARD_PRICE_TABLE = PriceTable(
        [price for price in table.prices if price.model != "claude-opus-5-5"]
    )
    unpriced = ended(models=["claude-opus-5-5"], requests=6)
    ended(models=["claude-sonnet-5-5"])

    line = only_line(compare(workspace))

    assert line.gap == sandbox.billed(unpriced)
    assert reasons(line) == [("unpriced", 1, 6)]


def test_lost_results_explain_their_cost(sandbox, ended, workspace, compare, sync):
    lost = ended(requests=6)
    sync(workspace)
    sandbox.archive(lost)
    sync(workspace)
    mark_lost(clock.now())

    line = only_line(compare(workspace, unread=[lost]))

    assert line.gap == sandbox.billed(lost)
    assert reasons(line) == [("lost", 1, 6)]


def test_unreadable_and_partly_understood_results_explain_a_gap(ended, workspace, compare, sync):
    unreadable, odd = ended(requests=6), ended(requests=8)
    sync(workspace)
    Batch.objects.filter(api_id=unreadable).update(results_state="unreadable")
    Batch.objects.filter(api_id=odd).update(results_state="read", unknown_lines=3)

    line = only_line(compare(workspace, unread=[unreadable, odd]))

    assert reasons(line) == [("unreadable", 1, 6), ("odd", 1, 3)]


def test_a_running_batch_may_be_billed_already(mirrored, workspace):
    mirrored(created_at=at(TODAY, 11), requests=9)
    reported(workspace, TODAY, "0.50", requests=4)

    assert reasons(only_line(compared(workspace))) == [("running", 1, 9)]


def test_a_batch_that_ran_past_midnight_is_counted_on_both_days(mirrored, workspace):
    batch = mirrored(
        status="ended", created_at=at(YESTERDAY, 23), duration=timedelta(hours=2), requests=5
    )
    read(batch, 3)
    reported(workspace, TODAY, "3", requests=5)

    today, yesterday = compared(workspace).days

    assert [line.gap for line in (*today.lines, *yesterday.lines)] == [3, -3]
    assert reasons(today.lines[0]) == [("past_midnight", 1, 5), ("not_mirrored", 0, 5)]
    assert reasons(yesterday.lines[0]) == [("past_midnight", 1, 5)]


def test_a_batch_that_ended_after_the_refresh_explains_a_gap(mirrored, workspace):
    batch = mirrored(
        status="ended", created_at=at(TODAY, 9), duration=timedelta(hours=2), requests=5
    )
    read(batch, 3)
    reported(workspace, YESTERDAY, "0")
    CostReport.objects.update(refreshed_at=at(TODAY, 10))

    line = only_line(compared(workspace))

    assert line.gap == -3
    assert reasons(line) == [("later", 1, 5)]


def test_missing_batches_do_not_explain_a_larger_computed_figure(mirrored, workspace):
    read(mirrored(status="ended", created_at=at(YESTERDAY, 9), requests=5), 3)
    mirrored(status="ended", created_at=at(YESTERDAY, 9), requests=5)
    reported(workspace, YESTERDAY, "1", requests=10)

    assert only_line(compared(workspace)).reasons == ()


@pytest.mark.parametrize(("dollars", "has_gap"), [("3.0049", False), ("3.005", True)])
def test_less_than_half_a_cent_is_no_gap(mirrored, workspace, dollars, has_gap):
    read(mirrored(status="ended", created_at=at(YESTERDAY, 9)), 3)
    reported(workspace, YESTERDAY, dollars)

    (day,) = compared(workspace).days

    assert day.has_gap is has_gap


def test_days_after_the_refresh_have_no_gap_and_are_not_in_the_total(mirrored, workspace):
    read(mirrored(status="ended", created_at=at(YESTERDAY, 9)), 3)
    read(mirrored(status="ended", created_at=at(TODAY, 9)), 5)
    reported(workspace, YESTERDAY, "3")
    CostReport.objects.update(refreshed_at=at(YESTERDAY, 22))

    comparison = compared(workspace)

    assert [(day.computed, day.reported, day.gap) for day in comparison.days] == [
        (5, None, None),
        (3, 3, 0),
    ]
    assert (comparison.total.computed, comparison.total.reported) == (3, 3)


def test_days_that_were_never_fetched_are_not_compared(mirrored, workspace):
    reported(workspace, YESTERDAY, "3")
    CostReport.objects.update(covers_since=YESTERDAY)

    comparison = compared(workspace, since=date(2026, 1, 1))

    assert comparison.since == YESTERDAY
    assert compared(workspace, until=date(2026, 11, 20)) is None


def test_a_day_without_a_row_in_the_report_is_reported_as_zero(mirrored, workspace):
    read(mirrored(status="ended", created_at=at(TODAY - timedelta(days=3), 9)), 3)
    reported(workspace, YESTERDAY, "0")

    line = only_line(compared(workspace))

    assert (line.reported, line.gap) == (0, -3)


def test_two_keys_of_one_workspace_are_compared_together(sandbox, ended, workspace, compare):
    again = Workspace.objects.create(
        name="Again", slug="again", base_url="http://sandbox", api_key=sandbox.key
    )
    ended()
    ended(TODAY - timedelta(days=2))

    comparison = compare(workspace, visible=[workspace, again])

    assert comparison.total.gap == 0
    assert {line.pair.name for day in comparison.days for line in day.lines} == {"Again, Research"}


def test_seeing_only_one_of_two_keys_hides_what_both_cost(sandbox, ended, workspace, compare):
    Workspace.objects.create(
        name="Again", slug="again", base_url="http://sandbox", api_key=sandbox.key
    )
    ended()

    comparison = compare(workspace)

    assert comparison.days == ()
    assert [(each.workspace, each.why) for each in comparison.skipped] == [(workspace, "shared")]


def test_a_workspace_that_is_not_selected_is_not_compared(
    sandbox, ended, workspace, other_workspace, compare
):
    ended(key=sandbox.other_key, requests=7)
    ended()

    comparison = compare(workspace)

    assert {line.pair.name for day in comparison.days for line in day.lines} == {"Research"}
    assert comparison.skipped == ()


def test_workspaces_that_are_not_mirrored_are_compared_only_on_request(
    sandbox, ended, workspace, compare
):
    foreign = ended(key=sandbox.other_key, requests=7)
    ended()
    own = compare(workspace)

    everything = compared(workspace, with_unmirrored=True)

    assert own.total.gap == 0
    line = only_line(everything)
    assert (line.pair.name, line.gap) == ("Production", sandbox.billed(foreign))
    assert reasons(line) == [("not_mirrored", 0, 7)]


def test_a_workspace_without_a_name_is_the_default_one(mirrored, workspace):
    read(mirrored(status="ended", created_at=at(YESTERDAY, 9)), 3)
    reported(workspace, YESTERDAY, "3")
    ReportedCost.objects.update(api_workspace_id="")

    for named in ("", "wrkspc_that_is_not_listed"):
        Workspace.objects.update(api_workspace_id=named)
        assert compared(workspace).total.reported == 3


@pytest.mark.parametrize(
    ("columns", "why"),
    [({"base_url": "https://elsewhere.test"}, "elsewhere"), ({"last_synced_at": None}, "unknown")],
)
def test_a_workspace_that_the_report_cannot_have_is_skipped(workspace, columns, why):
    reported(workspace, YESTERDAY, "3")
    Workspace.objects.update(**columns)

    comparison = compared(workspace)

    assert comparison.days == ()
    assert [each.why for each in comparison.skipped] == [why]


def test_before_the_first_report_there_is_nothing_to_compare(workspace):
    CostReport.objects.create(pk=1)

    assert compared(workspace) is None


def test_a_comparison_takes_as_many_queries_for_a_month_as_for_a_day(
    ended, workspace, compare, django_assert_num_queries
):
    missing = [ended(TODAY - timedelta(days=days)) for days in range(1, 9)]
    compare(workspace, unread=missing)
    report = CostReport.objects.get()

    with django_assert_num_queries(4):
        reconcile(report, {workspace.pk}, date(2026, 11, 1), TODAY, visible={workspace.pk})
