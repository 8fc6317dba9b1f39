"""Usage that Anthropic may price or list differently explains a gap, before anything else."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batches.pricing import PriceTable
from tests.batches.reports.reconciling import (
    TODAY,
    YESTERDAY,
    at,
    compared,
    only_line,
    read,
    reasons,
    reported,
    shares,
)

pytestmark = pytest.mark.usefixtures("at_noon")


def test_usage_with_other_prices_comes_first_with_its_amount(mirrored, workspace):
    batch = mirrored(status="ended", created_at=at(YESTERDAY, 9), requests=9)
    read(batch, 3, requests=2)
    read(batch, 2, requests=2, tier="standard")
    read(batch, 1, requests=4, tier="fast")
    read(batch, 5, requests=0, uses=2, part="advisor")
    read(batch, 6, requests=0, uses=1, part="compaction")
    read(batch, 7, requests=1, unpriced_by="usage.memory_tokens")
    mirrored(created_at=at(YESTERDAY, 13), requests=5)
    reported(workspace, YESTERDAY, "40", requests=14)

    line = only_line(compared(workspace))

    # The standard tier costs twice as much as a batch.
    assert (line.computed, line.gap) == (18, 22)
    assert reasons(line) == [
        ("off_tier", 1, 6),
        ("advisor", 1, 2),
        ("compaction", 1, 1),
        ("unknown_fields", 1, 1),
        ("running", 1, 5),
    ]
    assert shares(line) == {
        "off_tier": (4, True),
        "advisor": (5, False),
        "compaction": (6, False),
        "unknown_fields": (0, True),
    }


def test_only_usage_with_a_price_explains_a_larger_computed_figure(mirrored, workspace):
    batch = mirrored(status="ended", created_at=at(YESTERDAY, 9), requests=9)
    read(batch, 3, requests=4, uses=4, part="advisor")
    read(batch, 3, requests=5, tier="priority")
    reported(workspace, YESTERDAY, "1", requests=9)

    assert reasons(only_line(compared(workspace))) == [("advisor", 1, 4)]


def test_usage_explains_only_its_own_day(mirrored, workspace):
    for days in (1, 2):
        read(mirrored(status="ended", created_at=at(TODAY - timedelta(days=days), 9)), 3)
    read(mirrored(status="ended", created_at=at(YESTERDAY, 9), requests=5), 1, tier="fast")
    reported(workspace, YESTERDAY, "4")
    reported(workspace, TODAY - timedelta(days=2), "4")

    yesterday, before = compared(workspace).days

    assert reasons(yesterday) == [("off_tier", 1, 5)]
    assert reasons(before) == []


def test_a_total_adds_up_usage_and_has_it_first(mirrored, workspace):
    days = [TODAY - timedelta(days=days) for days in (1, 2)]
    mirrored(created_at=at(TODAY, 9), requests=9)
    for day in days:
        read(mirrored(status="ended", created_at=at(day, 9), requests=5), 3, tier="standard")
    for day in (TODAY, *days):
        reported(workspace, day, "9")

    total = compared(workspace).total

    assert reasons(total) == [("off_tier", 2, 10), ("running", 1, 9)]
    assert shares(total) == {"off_tier": (12, False)}


def test_an_unpriced_model_explains_only_days_without_its_price(mirrored, workspace, settings):
    price = settings.BATCHBOARD_PRICE_TABLE.price_of("claude-sonnet-5-5", YESTERDAY)
    settings.BATCHBOARD_PRICE_TABLE = PriceTable(
        [replace(price, effective_from=YESTERDAY, source="test")]
    )
    days = [YESTERDAY, YESTERDAY - timedelta(days=1)]
    for day in days:
        read(mirrored(status="ended", created_at=at(day, 9), requests=5), 3)
    for day in days:
        reported(workspace, day, "9")

    yesterday, before = compared(workspace).days

    assert reasons(yesterday) == []
    assert reasons(before) == [("unpriced", 1, 5)]
