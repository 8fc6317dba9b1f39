"""The orders of the list, and its pages in both directions."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batches.spend.ranking import rank_costs
from dashboard.list.counts import forget
from dashboard.list.keyset import ORDERS
from tests.dashboard.list.pages import link, place, shown, walk
from tests.spend_world import spent, used


@pytest.fixture
def small_pages(monkeypatch):
    for module in ("listing", "pages"):
        monkeypatch.setattr(f"dashboard.list.{module}.PAGE_SIZE", 3)


@pytest.fixture(params=["sorted", "walked"])
def each_way(request, monkeypatch):
    """Once as if few batches matched, which are then sorted, and once as if many did."""
    if request.param == "walked":
        monkeypatch.setattr("dashboard.list.listing.FEW", 0)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("active", ["short", "long", "brief", "slow"]),
        ("newest", ["brief", "short", "slow", "long"]),
        ("oldest", ["long", "slow", "short", "brief"]),
        ("largest", ["slow", "short", "brief", "long"]),
        ("longest", ["long", "short", "slow", "brief"]),
        ("expiry", ["short", "long", "brief", "slow"]),
    ],
)
def test_each_order_puts_first_what_it_names(sign_in, row, each_way, sort, expected):
    now = timezone.now()
    hour = timedelta(hours=1)
    row("long", age=9 * hour, processing=1)
    row("short", age=hour, processing=300, expires_at=now + hour)
    row("slow", age=8 * hour, processing_status="ended", succeeded=400, ended_at=now - 2 * hour)
    row("brief", age=hour / 2, processing_status="ended", succeeded=20, ended_at=now - hour / 3)

    response = sign_in("viewer").get("/", {"sort": sort})

    assert shown(response.text) == expected


def test_the_most_expensive_come_first_and_unknown_costs_last(sign_in, workspace, november):
    now = timezone.now()
    spent(workspace, now, used(input=1), api_id="cheap")
    spent(workspace, now, used(model="large", input=1), api_id="dear")
    spent(workspace, now, used(input=3), used(model="new"), api_id="in_part")
    spent(workspace, now, used(model="new"), api_id="unpriced")
    spent(workspace, now, api_id="unread", results_state="pending")
    rank_costs("")

    page = sign_in("viewer").get("/", {"sort": "cost"}).text

    assert shown(page) == ["dear", "in_part", "cheap", "unread", "unpriced"]


@pytest.mark.parametrize("sort", sorted(ORDERS))
@pytest.mark.parametrize(
    ("each_way", "tab"), [("sorted", ""), ("walked", "succeeded")], indirect=["each_way"]
)
def test_pages_show_every_batch_once_in_both_directions(
    sign_in, row, small_pages, each_way, sort, tab
):
    moment = timezone.now() - timedelta(hours=1)
    for number, status in enumerate(["ended", "in_progress"] * 7):
        # Half of them of one moment and size.
        created_at = moment - timedelta(minutes=number // 7 * number)
        row(f"b{number:02}", created_at=created_at, processing_status=status)
    browser = sign_in("viewer")
    address = f"/?sort={sort}&status={tab}" if tab else f"/?sort={sort}"

    forward = walk(browser, address, "next-page")
    last = address
    while following := link(browser.get(last).text, "next-page"):
        last = following
    backward = walk(browser, last, "previous-page")

    names = [name for page in forward for name in page]
    assert len(names) == len(set(names)) == (7 if tab else 14)
    assert [len(page) for page in forward[:-1]] == [3] * (len(forward) - 1)
    assert list(reversed(backward)) == forward


def test_a_page_says_where_it_is(sign_in, row, small_pages):
    for number in range(8):
        row(f"b{number}")
    browser = sign_in("viewer")

    first = browser.get("/").text
    second = browser.get(link(first, "next-page")).text
    third = browser.get(link(second, "next-page")).text

    assert [place(page) for page in (first, second, third)] == [
        "1–3 of 8",
        "4–6 of 8",
        "7–8 of 8",
    ]
    assert link(second, "previous-page") == "/?"
    assert place(browser.get(link(third, "previous-page")).text) == "4–6 of 8"


def test_a_list_of_one_page_has_no_pager(sign_in, row):
    row("one")

    page = sign_in("viewer").get("/").text

    assert place(page) == ""
    assert 'rel="next"' not in page


def test_a_page_that_fewer_than_a_page_precede_is_the_first(sign_in, row, small_pages):
    batches = [row(f"b{number}", age=timedelta(hours=number + 1)) for number in range(9)]
    browser = sign_in("viewer")
    second = browser.get(link(browser.get("/").text, "next-page")).text
    third = browser.get(link(second, "next-page")).text
    for batch in batches[:4]:
        batch.delete()
    forget()

    page = browser.get(link(third, "previous-page")).text

    assert shown(page) == ["b4", "b5", "b6"]
    assert place(page) == "1–3 of 5"
