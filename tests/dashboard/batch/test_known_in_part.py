"""Partly known costs, and requests that did not run at the batch tier."""

import re
from datetime import date, timedelta

import pytest

from batches.models import Batch
from tests.dashboard.batch.batch_page import NOON, page_of, read, section, words
from tests.dashboard.batch.test_costs_shown import shown_cost
from tests.dashboard.reading import table, words_of
from tests.spend_world import spent, used

pytestmark = pytest.mark.usefixtures("november")

# The small model costs $1 a million tokens in as a batch, and $2 otherwise.
USUAL = used(input=1, requests=90, uses=90)


@pytest.mark.parametrize(
    ("columns", "more", "figure", "said"),
    [
        ({"unknown_lines": 1}, [], "unreadable", "$1.00 known for 90 of 91 requests"),
        (
            {},
            [used(input=1, requests=9, uses=9, tier="fast")],
            "unpriced",
            "$1.00 known for 90 of 99 requests",
        ),
        (
            {},
            [used(input=1, requests=9, uses=9, unpriced_by="usage.new_tokens")],
            "unpriced",
            "$1.00 known for 90 of 99 requests",
        ),
        (
            {},
            [used(input=1, requests=0, uses=30, model="new", part="advisor")],
            "unpriced",
            "$1.00 known for 60 of 90 requests",
        ),
        ({}, [used(input=1, requests=9, uses=9, tier="standard")], "3.00", "Cost $3.00"),
    ],
    ids=["lines", "tier", "field", "part of a request", "standard tier"],
)
def test_a_card_says_for_how_many_requests_the_cost_is_known(
    sign_in, workspace, columns, more, figure, said
):
    spent(workspace, NOON, USUAL, *more, **columns)

    assert shown_cost(sign_in("viewer").get("/").text) == (figure, said)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tier": "fast"}, "no price for fast mode"),
        ({"tier": "priority"}, "no price for the priority tier"),
        ({"inference_geo": "eu"}, "no price for inference in eu"),
        (
            {"unpriced_by": "usage.new_tokens"},
            "usage.new_tokens is unknown and may change the price",
        ),
    ],
)
def test_requests_without_any_price_say_why(sign_in, workspace, more, said):
    batch = spent(workspace, NOON, used(input=1, requests=9, uses=9, **more))
    browser = sign_in("viewer")

    page = page_of(browser, batch)

    assert shown_cost(browser.get("/").text) == ("unpriced", said)
    panel = section(page, "usage-title")
    assert f"9 requests: {said}." in panel
    assert "BATCHBOARD_PRICES" not in panel
    assert [row[-1] for row in table(page, "Usage and cost by model")[1:]] == ["no price"]


def test_requests_with_several_parts_at_a_tier_are_counted_once(sign_in, workspace):
    batch = spent(
        workspace,
        NOON,
        used(input=1, requests=9, uses=9, tier="fast"),
        used(input=1, requests=0, uses=4, tier="fast", part="compaction"),
    )

    assert "9 requests: no price for fast mode." in words(page_of(sign_in("viewer"), batch))


def test_parts_of_requests_are_lines_of_their_own_under_their_model(sign_in, workspace):
    batch = spent(
        workspace,
        NOON,
        USUAL,
        used(input=2, requests=0, uses=9, part="compaction"),
        used(input=1, requests=0, uses=3, part="advisor", model="large"),
        used(input=1, requests=10, uses=10, tier="standard"),
    )

    page = page_of(sign_in("viewer"), batch)

    # The large model costs $5 a million tokens in as a batch.
    rows = table(page, "Usage and cost by model")[1:]
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("large advisor", "in 3 of them", "$5.00"),
        ("small", "90", "$1.00"),
        ("small the standard tier", "10", "$2.00"),
        ("small compaction of the context", "in 9 of them", "$2.00"),
        ("Total", "100", "$10.00"),
    ]
    said = section(page, "usage-title")
    assert "Anthropic doesn’t document whether the half price of batches covers an advisor" in said
    assert "10 requests did not run at the batch tier (10 standard)." in said
    # Nothing is saved by what ran at the standard tier: 2 + 4 + 10 + 2.
    assert "At standard prices $18.00 Saved as a batch $8.00" in said


def test_an_ordinary_batch_shows_no_tiers_and_advisors(sign_in, workspace):
    said = section(page_of(sign_in("viewer"), spent(workspace, NOON, USUAL)), "usage-title")

    assert "tier" not in said
    assert "advisor" not in said


def test_the_arithmetic_of_the_standard_tier_has_no_batch_factor(sign_in, workspace):
    batch = spent(workspace, NOON, used(input=1, requests=9, tier="standard", inference_geo="us"))

    rows = table(page_of(sign_in("viewer"), batch), "step by step")

    assert rows[1] == [
        "Input",
        "1,000,000",
        "× $2.00 per million",
        "× 1.1 (inference in the US)",
        "$2.20",
    ]


def test_spend_counts_what_is_known_in_part(lead, workspace):
    spent(workspace, date(2026, 11, 2), USUAL, unknown_lines=1)
    spent(workspace, date(2026, 11, 3), USUAL)

    page = lead.get("/spend/").text

    assert words_of(page, "total") == "1–24 Nov 2026 (UTC) $2.00 so far, from 2 batches’ results"
    assert "Not included 1 batch 1 read in part" in words_of(page, "left-out")
    assert 'href="/?' in page.partition('data-missing="incomplete"')[2]
    assert "results=incomplete" in page


def test_a_batch_with_two_reasons_to_be_known_in_part_is_counted_once(lead, workspace):
    fast = used(input=1, requests=3, tier="fast")
    spent(workspace, date(2026, 11, 2), USUAL, fast, unknown_lines=1)
    spent(workspace, date(2026, 11, 2), USUAL, fast)

    page = lead.get("/spend/").text

    assert (
        words_of(page, "left-out")
        == "Not included 2 batches 1 read in part · 1 with unpriced requests"
    )


def test_the_link_to_batches_read_in_part_leads_to_exactly_these(sign_in, workspace):
    part = spent(workspace, NOON, USUAL, unknown_lines=2)
    whole = spent(workspace, NOON, USUAL)

    page = sign_in("viewer").get("/?results=incomplete").text

    assert (part.api_id in page, whole.api_id in page) == (True, False)


def test_spend_says_which_requests_did_not_run_at_the_batch_tier(lead, workspace):
    spent(
        workspace,
        date(2026, 11, 2),
        USUAL,
        used(input=1, requests=9, tier="standard"),
        used(input=1, requests=3, tier="fast"),
        used(input=1, requests=0, uses=2, tier="standard", part="compaction"),
    )

    page = lead.get("/spend/").text

    assert "12 requests did not run at the batch tier (3 fast, 9 standard)." in words(page)
    assert "3 requests: no price for fast mode" in words(page)
    assert "No price is known for" not in words(page)
    # 1 as a batch, 2 and 2 at the standard tier; as a batch 1 is saved.
    assert "$5.00" in words_of(page, "total")
    assert "Saved $1.00" in words_of(page, "saved")


def test_spend_has_advisors_under_their_model_and_says_what_is_not_known_of_them(lead, workspace):
    advice = used(input=2, requests=0, uses=9, model="large", part="advisor")
    spent(workspace, date(2026, 11, 12), USUAL, advice)

    page = lead.get("/spend/?group=model").text

    rows = table(page, "Spend by model")
    assert [row[:4] for row in rows[1:3]] == [
        ["large", "1", "0", "$10.00"],
        ["small", "1", "90", "$1.00"],
    ]
    assert "$10.00 of this is for advisors’ tokens." in words(page)


def test_spend_says_how_many_batches_an_older_version_read(lead, workspace):
    spent(workspace, date(2026, 11, 2), USUAL, results_state="outdated")
    spent(workspace, date(2026, 11, 3), USUAL, results_state="outdated", archived_at=NOON)
    spent(workspace, date(2026, 11, 4), USUAL)

    page = lead.get("/spend/").text

    said = words(page)
    assert "2 batches were read by an older version of Batchboard." in said
    assert "1 of them is about to be read again." in said
    assert "1 can’t be read again, because Anthropic no longer has the results." in said
    assert words_of(page, "total").startswith("1–24 Nov 2026 (UTC) $3.00 from 3")
    assert re.search(r'href="/\?[^"]*results=outdated', page)


def test_a_batch_that_an_older_version_read_says_so(sign_in, workspace):
    again = spent(workspace, NOON, USUAL, results_state="outdated")
    expired = spent(workspace, NOON - timedelta(days=40), USUAL, results_state="outdated")
    for batch in Batch.objects.all():
        read(batch)
    browser = sign_in("viewer")

    said = [section(page_of(browser, batch), "usage-title") for batch in (again, expired)]

    assert all("Read by an older version of Batchboard." in each for each in said)
    assert "The results will be read again soon." in said[0]
    assert "they can’t be read again" in said[1]
    assert all("Cost $1.00" in each for each in said)
