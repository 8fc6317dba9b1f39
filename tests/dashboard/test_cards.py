"""What a batch's card says, and how many bytes it takes."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.models import Workspace
from batches.spend import estimates
from dashboard.words import usd_range
from tests.dashboard.batch.batch_page import words
from tests.spend_world import PRICES, spent, used

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG = "a very long label " * 11


@pytest.fixture
def cards(sign_in):
    """A function that opens the list and returns its cards' HTML by batch ID."""

    def cards(role: str = "operator", path: str = "/") -> dict[str, str]:
        page = sign_in(role).get(path).text
        found = re.findall(r"<article.*?</article>", page, re.DOTALL)
        return {re.search(r'data-batch="([^"]+)"', card)[1]: card for card in found}

    return cards


# Parts without a name, by their place.
PLACES = {
    "name": r"<h2><(a)[^>]*>(.*?)</a>",
    "workspace": r"</h2><p><(bdi)>(.*?)</bdi>",
    "owner": r"</bdi> · <(bdi)>(.*?)</bdi>",
    "elapsed": r"<p class=times><(time)[^>]*>(.*?)</time> elapsed",
    "estimate": r"<p class=(cost)>(est\..*?)</p>",
}


def field(card: str, name: str) -> str:
    place = PLACES.get(name, rf"<(\w+)[^>]*data-field={name}[^>]*>(.*?)</\1>")
    found = re.search(place, card, re.DOTALL)
    return words(found[2]) if found else ""


def test_a_row_says_which_how_large_how_long_and_how_much(cards, workspace, settings):
    settings.BATCHBOARD_PRICE_TABLE = PRICES
    for number in range(5):
        spent(workspace, NOON - timedelta(hours=number), used(input=2 * number + 2))
    Workspace.objects.update(usual_durations={"3": [10, 1980, 17160]})
    created = timezone.now() - timedelta(minutes=12, seconds=5)
    spent(workspace, created, processing_status="in_progress", api_id="msgbatch_01runaway",
          processing=1200, label="nightly eval", owner="ada@example.com")  # fmt: skip

    card = cards()["msgbatch_01runaway"]

    assert {name: field(card, name) for name in (
        "state", "name", "workspace", "owner", "requests", "elapsed", "estimate")} == {
        "state": "in progress",
        "name": "nightly eval",
        "workspace": "Research",
        "owner": "ada@example.com",
        "requests": "1,200 requests",
        "elapsed": "12 min",
        # Per request $0.60 (p50) to $1.00 (p90).
        "estimate": "est. $720–1,200",
    }  # fmt: skip
    assert "data-usual>usually 33 min–4 h 46 min<" in card


def test_the_label_is_the_title_and_the_id_stands_below(cards, row):
    row("msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d", label="nightly eval")
    row("msgbatch_02HkcTjaV5uDC8jWR4ZsDV8d")

    shown = cards()

    heading = [words(re.search(r"<h2>(.*?)</h2>", card, re.DOTALL)[1]) for card in shown.values()]
    assert sorted(heading) == ["02HkcTjaV5uDC8jWR4ZsDV8d", "nightly eval 01HkcTjaV5uD…"]
    labeled = shown["msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"]
    assert 'aria-label="Cancel nightly eval 01HkcTjaV5uD…"' in labeled
    assert "<button" not in re.search(r"<h2>(.*?)</h2>", labeled, re.DOTALL)[1]


def test_a_long_label_is_whole_in_its_title_and_not_repeated_elsewhere(cards, row):
    row("msgbatch_1", label=LONG.strip())

    card = cards()["msgbatch_1"]

    assert f'title="{LONG.strip()}"' in card
    assert card.count(LONG.strip()) == 2


def test_peoples_text_is_isolated_from_what_surrounds_it(cards, row):
    row("msgbatch_1", label="עברית 123", owner="عبد")

    card = cards()["msgbatch_1"]

    assert "<bdi>עברית 123</bdi>" in card
    assert field(card, "owner") == "عبد"


def test_no_estimate_is_invented_without_history(cards, row):
    row("msgbatch_1")

    card = cards()["msgbatch_1"]

    assert "est." not in card
    assert "usually" not in card
    assert 'role="progressbar"' in card


@pytest.mark.parametrize(("left", "is_said"), [(2, True), (4, False)])
def test_the_expiry_is_said_only_when_it_is_near(cards, row, left, is_said):
    row("msgbatch_1", age=timedelta(hours=24 - left))

    card = cards()["msgbatch_1"]

    assert ("expires" in field(card, "state")) is is_said


def test_a_canceling_batch_shows_for_how_long_and_no_estimate(cards, row, workspace, settings):
    settings.BATCHBOARD_PRICE_TABLE = PRICES
    for _ in range(5):
        spent(workspace, NOON, used(input=1))
    asked = timezone.now() - timedelta(seconds=41)
    row("msgbatch_1", processing_status="canceling", cancel_initiated_at=asked)

    card = cards()["msgbatch_1"]

    assert re.fullmatch(r"canceling for 4[12] s", field(card, "state"))
    assert field(card, "estimate") == ""


def test_an_outcome_does_not_repeat_the_counts(cards, row):
    row("msgbatch_1", processing_status="ended", succeeded=371, errored=29)
    row("msgbatch_2", processing_status="ended", succeeded=400)

    shown = cards()

    assert field(shown["msgbatch_1"], "state") == "some failed"
    assert words(shown["msgbatch_1"]).count("29") == 1
    assert words(shown["msgbatch_2"]).count("400") == 1


def test_a_batch_that_ended_before_its_cancel_says_so_in_two_lines(cards, row):
    row("msgbatch_1", processing_status="ended", cancel_initiated_at=timezone.now())

    state = field(cards()["msgbatch_1"], "state")

    assert state == "finished before the cancel"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [("17.4", "105", "$17–105"), ("0.4", "12.5", "$0.40–13"), ("3", "3", "$3.00")],
)
def test_an_estimate_is_written_without_false_precision(low, high, expected):
    assert usd_range(Decimal(low), Decimal(high)) == expected


def test_the_page_has_one_csrf_token_for_all_cancels(cards, row):
    row("msgbatch_1")

    card = cards()["msgbatch_1"]

    assert 'data-cancel method="post" action="/batches/msgbatch_1/cancel/"' in card
    assert "csrfmiddlewaretoken" not in card


def test_the_queries_do_not_depend_on_the_number_of_cards(
    sign_in, row, workspace, other_workspace, settings
):
    settings.BATCHBOARD_PRICE_TABLE = PRICES
    browser = sign_in("operator", workspace, other_workspace)
    for number in range(5):
        spent(workspace, NOON, used(input=1), api_id=f"msgbatch_r{number}")
        spent(other_workspace, NOON, used(input=2), api_id=f"msgbatch_p{number}")
    row("msgbatch_1")
    row("msgbatch_2", workspace=other_workspace)
    few = queries_of(browser)
    for number in range(20):
        row(f"msgbatch_a{number}", label=f"label {number}")
        row(f"msgbatch_b{number}", workspace=other_workspace, owner=f"owner {number}")

    estimates.forget()
    many = queries_of(browser)
    again = queries_of(browser)

    assert many == few
    # The two queries of the estimates, and the one that counts for the tabs.
    assert again == few - 3


def queries_of(browser) -> int:
    with CaptureQueriesContext(connection) as context:
        page = browser.get("/").text
    assert page.count("est. $") >= 2
    return len(context)
