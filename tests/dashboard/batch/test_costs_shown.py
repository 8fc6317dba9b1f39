import re
from decimal import Decimal

import pytest
from django.utils import timezone

from batches.models import Batch, Workspace
from dashboard.list.listing import PAGE_SIZE
from dashboard.words import plain_usd
from tests.dashboard.batch.batch_page import NOON, add_cancellation, words
from tests.dashboard.conftest import HTMX
from tests.spend_world import PRICES, spent, used


@pytest.fixture(autouse=True)
def _prices(settings):
    settings.BATCHBOARD_PRICE_TABLE = PRICES


def shown_cost(page: str) -> tuple[str, str]:
    """The cost of the only card: its attribute and its text."""
    figure = re.search(r'data-cost="([^"]*)"', page)[1]
    part = re.search(r"<p class=cost\b.*?</p>", page, re.DOTALL)
    words = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", part[0] if part else "", flags=re.DOTALL)
    return figure, " ".join(words.split())


@pytest.mark.parametrize(
    ("columns", "usage", "expected"),
    [
        ({}, used(input=12.34), ("12.34", "Cost $12.34")),
        ({}, used(input=1234.5), ("1234.50", "Cost $1,234.50")),
        ({}, used(input=0.001234), ("0.001234", "Cost $0.0012")),
        ({}, used(model="claude-new", input=1), ("unpriced", "no price for claude-new")),
        ({"results_state": "pending"}, None, ("pending", "cost pending")),
        ({"results_state": "unreadable"}, None, ("unreadable", "results unreadable")),
        ({"results_state": "lost"}, None, ("lost", "cost unknown")),
        ({"succeeded": 0, "errored": 10}, None, ("0.00", "Cost $0.00")),
        ({"processing_status": "in_progress"}, None, ("pending", "")),
    ],
)
def test_a_card_says_what_the_batch_cost_or_why_that_is_not_known(
    sign_in, workspace, columns, usage, expected
):
    spent(workspace, NOON, *([usage] if usage else []), **columns)

    assert shown_cost(sign_in("viewer").get("/").text) == expected


def test_several_models_without_a_price_are_counted(sign_in, workspace):
    spent(workspace, NOON, used(model="new-a"), used(model="new-b"))

    assert shown_cost(sign_in("viewer").get("/").text)[1] == "no price for new-a and 1 more"


@pytest.mark.parametrize(
    ("amount", "plain"),
    [
        ("0", "0.00"),
        ("3", "3.00"),
        ("0.5", "0.50"),
        ("1234567.891", "1234567.891"),
        ("0.1234565", "0.123456"),
        ("0.0000005", "0.0000005"),
        ("0.00000049", "0.00000049"),
        ("0.0000000123", "0.000000012"),
        ("0.000001", "0.000001"),
    ],
)
def test_plain_amounts_above_zero_are_never_zero(amount, plain):
    assert plain_usd(Decimal(amount)) == plain


def test_the_receipt_line_of_a_canceled_batch_says_what_that_saved(sign_in, workspace):
    # Four succeeded for $2 in all, six canceled ones would have cost $0.50 each.
    canceled_by_ada(spent(workspace, NOON, used(input=2), is_canceled=True))

    page = sign_in("viewer").get("/").text

    assert "Canceled by ada" in words(page)
    assert "· accepted · saved about $3.00" in words(page)


def test_savings_are_not_shown_while_the_cost_is_pending(sign_in, workspace):
    canceled_by_ada(spent(workspace, NOON, is_canceled=True, results_state="pending"))

    page = sign_in("viewer").get("/").text

    assert "Canceled by ada" in words(page)
    assert "saved about" not in page


def test_costs_of_fifty_cards_take_one_more_query(sign_in, workspace, django_assert_num_queries):
    for _ in range(PAGE_SIZE + 1):
        spent(workspace, NOON, used(input=1), used(model="large", input=1))
    browser = sign_in("viewer")

    # The session, the person, their workspaces, the tallies, the batches and their usage.
    with django_assert_num_queries(6):
        page = browser.get("/").text

    assert page.count('data-cost="6.00"') == 50


def test_an_empty_list_asks_for_no_costs(sign_in, workspace, django_assert_num_queries):
    browser = sign_in("viewer")

    with django_assert_num_queries(5):
        browser.get("/")


def test_a_poll_brings_the_cost_with_one_more_query(
    sign_in, workspace, change, django_assert_num_queries
):
    batch = spent(workspace, NOON, used(input=3), results_state="pending")
    Workspace.objects.filter(pk=workspace.pk).update(last_synced_at=timezone.now())
    browser = sign_in("viewer")
    version = re.search(r'data-version="([^"]+)"', browser.get("/").text)[1]
    change(batch, results_state="read")

    # As an unchanged one, and workspaces, tallies, changed batches, their usage, new ones.
    with django_assert_num_queries(9):
        answer = browser.get("/live/", {"v": version, "shown": batch.pk}, headers=HTMX).text

    assert shown_cost(answer) == ("3.00", "Cost $3.00")


def test_a_late_cancel_answers_with_the_card_and_its_cost(sign_in, workspace):
    batch = spent(workspace, NOON, used(input=3))

    answer = sign_in("operator").post(f"/batches/{batch.api_id}/cancel/", headers=HTMX).text

    assert shown_cost(answer) == ("3.00", "Cost $3.00")
    assert "There was nothing left to cancel" in answer


def canceled_by_ada(batch: Batch) -> None:
    batch.latest_cancellation = add_cancellation(batch, accepted_at=NOON)
    batch.save()
