from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from batches.pricing import PriceTable
from batches.spend import estimates
from batches.spend.estimates import CostEstimate, cost_estimate, cost_estimates
from tests.spend_world import PRICES, spent, used

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _prices(settings):
    settings.BATCHBOARD_PRICE_TABLE = PRICES


@pytest.fixture
def running(workspace):
    """A batch of ten requests that has just started."""
    return spent(
        workspace,
        NOON,
        processing_status="in_progress",
        label="nightly",
        owner="ada",
        api_id="running",
    )


def costing(workspace, *dollars: float, model: str = "small", **columns) -> None:
    """Batches of ten succeeded requests with these costs: $1 is a million input tokens."""
    for number, cost in enumerate(dollars, start=1):
        created = NOON - timedelta(hours=number)
        spent(workspace, created, used(model=model, input=cost), **columns)


def test_the_estimate_is_p50_to_p90_per_request_times_the_requests(workspace, running):
    costing(workspace, 1, 2, 3, 4, 10, label="nightly")

    found = cost_estimate(running)

    assert found == CostEstimate("label", "nightly", 5, Decimal(3), Decimal(10))


def test_a_larger_batch_has_a_larger_estimate(workspace):
    costing(workspace, 1, 2, 3, 4, 10)
    large = spent(workspace, NOON, processing_status="in_progress", processing=1000)

    found = cost_estimate(large)

    assert (found.low, found.high) == (Decimal(300), Decimal(1000))


def test_with_too_few_batches_of_the_label_the_owners_are_used(workspace, running):
    costing(workspace, 1, 1, 1, 1, label="nightly")
    costing(workspace, 2, 2, 2, 2, 2, owner="ada")

    found = cost_estimate(running)

    assert found == CostEstimate("owner", "ada", 5, Decimal(2), Decimal(2))


def test_with_too_few_batches_of_the_owner_the_workspaces_are_used(workspace, running):
    costing(workspace, 1, 1, 1, label="nightly")
    costing(workspace, 7, 7, owner="bob")

    found = cost_estimate(running)

    assert found == CostEstimate("workspace", "Research", 5, Decimal(1), Decimal(7))


def test_another_workspaces_batches_with_the_label_are_ignored(workspace, other_workspace, running):
    costing(other_workspace, 1, 2, 3, 4, 5, label="nightly", owner="ada")

    assert cost_estimate(running) is None


def test_batches_without_a_known_total_or_a_success_are_ignored(workspace, running):
    costing(workspace, 1, 2, 3, 4)
    costing(workspace, 100, model="new")
    spent(workspace, NOON, succeeded=0, errored=10)
    spent(workspace, NOON, results_state="pending")

    assert cost_estimate(running) is None


def test_only_the_most_recent_batches_count(workspace, running, monkeypatch):
    monkeypatch.setattr(estimates, "MOST", 5)
    costing(workspace, 1, 1, 1, 1, 1, 50, 50, 50)

    found = cost_estimate(running)

    assert (found.sample, found.high) == (5, Decimal(1))


def test_an_ended_batch_has_no_estimate(workspace, django_assert_num_queries):
    costing(workspace, 1, 2, 3, 4, 5)
    ended = spent(workspace, NOON)

    with django_assert_num_queries(0):
        assert cost_estimate(ended) is None


def test_all_estimates_of_a_page_take_two_queries_and_then_none(
    workspace, other_workspace, running, django_assert_num_queries
):
    costing(workspace, 1, 2, 3, 4, 5)
    costing(other_workspace, 6, 7, 8, 9, 10)
    elsewhere = spent(other_workspace, NOON, processing_status="in_progress")
    unlabeled = spent(workspace, NOON, processing_status="in_progress")

    with django_assert_num_queries(2):
        found = cost_estimates([running, elsewhere, unlabeled])
    with django_assert_num_queries(0):
        again = cost_estimates([elsewhere, unlabeled, running])

    assert [found[each.pk].name for each in (running, elsewhere)] == ["Research", "Production"]
    assert found[elsewhere.pk].high == Decimal(10)
    assert again == found


def test_new_prices_count_at_once(workspace, running, settings):
    costing(workspace, 1, 2, 3, 4, 10)
    assert cost_estimate(running).high == Decimal(10)

    settings.BATCHBOARD_PRICE_TABLE = PriceTable([])

    assert cost_estimate(running) is None
