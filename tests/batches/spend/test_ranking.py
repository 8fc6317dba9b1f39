"""The column by which lists sort batches by cost."""

from datetime import date
from decimal import Decimal

import pytest

from batches.models import Batch, Chore
from batches.models.batch import COST_DUE, COST_UNKNOWN
from batches.pricing import Price, PriceTable
from batches.spend.ranking import rank_costs
from batches.worker.chores import order_costs
from tests.spend_world import PRICES, spent, used

DAY = date(2026, 11, 5)


@pytest.fixture(autouse=True)
def _prices(settings):
    settings.BATCHBOARD_PRICE_TABLE = PRICES


@pytest.mark.parametrize(
    ("usage", "columns", "expected"),
    [
        ([used(input=3)], {}, 3_000_000),
        ([used(input=0.0000005)], {}, COST_UNKNOWN + 1),
        ([used(input=3), used(model="new", input=9)], {}, 3_000_000),
        ([used(model="new", input=9)], {}, COST_UNKNOWN),
        ([], {"results_state": "lost"}, COST_UNKNOWN),
    ],
)
def test_the_known_cost_is_kept_in_millionths(workspace, usage, columns, expected):
    batch = spent(workspace, DAY, *usage, **columns)

    rank_costs("")

    batch.refresh_from_db()
    assert batch.cost_order == expected


def test_the_worker_computes_costs_after_a_reading_and_pages_notice(workspace, monkeypatch):
    monkeypatch.setattr("batches.spend.ranking.BLOCK", 1)
    Chore.objects.create(name="order-costs")
    order_costs()
    batches = [spent(workspace, DAY, used(input=cost)) for cost in (1, 2)]
    Batch.objects.update(cost_order=COST_DUE)
    seen = max(batch.revision for batch in batches)

    order_costs()

    assert list(Batch.objects.order_by("pk").values_list("cost_order", flat=True)) == [
        1_000_000,
        2_000_000,
    ]
    assert Batch.objects.changed_since(seen).count() == 2
    workspace.refresh_from_db()
    assert workspace.latest_revision == Batch.objects.latest("revision").revision


def test_a_changed_price_table_changes_the_order(workspace, settings):
    Chore.objects.create(name="order-costs")
    batch = spent(workspace, DAY, used(input=1))
    order_costs()
    expensive = Price(
        "small", date(2026, 1, 1), *map(Decimal, ("4", "20", "5", "8", "0.4", "10")),
        prompt_over=0, source="test",
    )  # fmt: skip
    settings.BATCHBOARD_PRICE_TABLE = PriceTable([expensive])

    order_costs()

    batch.refresh_from_db()
    assert batch.cost_order == 2_000_000


def test_nothing_is_written_while_nothing_is_due(workspace, django_assert_num_queries):
    spent(workspace, DAY, used(input=1))
    digest = rank_costs("")

    with django_assert_num_queries(1):
        assert rank_costs(digest) == digest
