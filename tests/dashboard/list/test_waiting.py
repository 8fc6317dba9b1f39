"""Batches that belong on an open page wait; cards change in their place, with the clock too."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from batches.models import Workspace
from tests.dashboard.conftest import HTMX
from tests.dashboard.list.pages import count, link, poll, shown, shown_keys


@pytest.fixture(autouse=True)
def _fresh(workspace):
    now = timezone.now()
    Workspace.objects.filter(pk=workspace.pk).update(
        last_synced_at=now, backfilled_at=now, interval_seconds=10**6
    )


def waiting(answer: str) -> int:
    found = re.search(r"([\d,]+) new batch(?:es)?: show", answer)
    return int(found[1].replace(",", "")) if found else 0


def test_new_batches_wait_until_the_page_is_loaded_again(sign_in, row):
    row("shown")
    browser = sign_in("viewer")
    page = browser.get("/").text
    row("new")
    row("newer")

    first = browser.get(poll(page), headers=HTMX).text
    row("newest")
    second = browser.get(
        re.sub(r"&shown=.*", "", poll(first)) + shown_keys(page), headers=HTMX
    ).text

    assert shown(first) == shown(second) == []
    assert (waiting(first), waiting(second)) == (2, 3)
    assert count(second) == 4
    assert shown(browser.get(link(second, "reload")).text) == ["newest", "newer", "new", "shown"]


FAILED = ({"status": "failed"}, {"processing_status": "ended", "processing": 0, "errored": 10})


@pytest.mark.parametrize(
    ("query", "columns", "sort"),
    [
        *[(*FAILED, sort) for sort in ("active", "newest", "oldest", "largest", "longest", "cost")],
        ({"status": "canceling"}, {"processing_status": "canceling"}, "active"),
        ({"label": "night"}, {"label": "nightly"}, "newest"),
        ({"q": "ada"}, {"owner": "ada"}, "largest"),
    ],
)
def test_a_batch_that_comes_to_match_waits(sign_in, row, change, query, columns, sort):
    ended = {"processing_status": "ended", "errored": 10, "processing": 0, "ended_at": None}
    row("old", label="nightly", owner="ada", age=timedelta(hours=3), **ended)
    row("stopping", processing_status="canceling")
    batch = row("coming")
    browser = sign_in("viewer")
    page = browser.get("/", query | {"sort": sort}).text
    before = shown(page)
    change(batch, **columns)

    answer = browser.get(poll(page), headers=HTMX).text

    assert before != []
    assert "coming" not in before
    assert waiting(answer) == 1
    assert shown(answer) == []
    tab = query.get("status", "all")
    assert count(answer, tab) == len(before) + waiting(answer)


@pytest.mark.parametrize(
    ("age", "expected"), [(timedelta(minutes=30), 1), (timedelta(hours=30), 0)]
)
def test_only_batches_within_the_page_wait(sign_in, row, monkeypatch, age, expected):
    monkeypatch.setattr("dashboard.list.pages.PAGE_SIZE", 2)
    for number in range(4):
        row(f"b{number}", age=timedelta(hours=number + 1))
    browser = sign_in("viewer")
    page = browser.get("/").text
    row("found_late", age=age)

    answer = browser.get(poll(page), headers=HTMX).text

    assert waiting(answer) == expected
    assert count(answer) == 5


def test_on_a_later_page_a_batch_waits_only_if_it_belongs_there(sign_in, row, monkeypatch):
    monkeypatch.setattr("dashboard.list.pages.PAGE_SIZE", 2)
    for number in range(4):
        row(f"b{number}", age=timedelta(hours=number + 1))
    browser = sign_in("viewer")
    page = browser.get(link(browser.get("/").text, "next-page")).text
    row("newest", age=timedelta(minutes=1))
    row("oldest", age=timedelta(hours=9))

    answer = browser.get(poll(page), headers=HTMX).text

    assert shown(page) == ["b2", "b3"]
    assert waiting(answer) == 1


def test_more_batches_than_are_fetched_by_key_wait_too(sign_in, row, monkeypatch):
    monkeypatch.setattr("dashboard.list.polling.FEW", 1)
    row("shown")
    browser = sign_in("viewer")
    page = browser.get("/").text
    for number in range(3):
        row(f"new{number}")

    assert waiting(browser.get(poll(page), headers=HTMX).text) == 3


@pytest.mark.parametrize("query", [{}, {"status": "active"}, {"label": "nightly"}])
def test_an_empty_page_fills_itself(sign_in, row, query):
    browser = sign_in("viewer")
    page = browser.get("/", query).text
    row("new", label="nightly")

    answer = browser.get(poll(page), headers=HTMX)

    assert answer["HX-Retarget"] == "#list"
    assert shown(answer.text) == ["new"]
    assert "No batch" not in answer.text
    assert browser.get(poll(answer.text), headers=HTMX).status_code == 204


def test_a_card_that_no_longer_matches_is_marked(sign_in, row, change):
    ending, going_on = row("ending"), row("going_on")
    browser = sign_in("viewer")
    page = browser.get("/", {"status": "active"}).text
    change(ending, processing_status="ended", processing=0, succeeded=10)
    change(going_on, processing=9, succeeded=1)

    response = browser.get(poll(page), headers=HTMX)

    left = {card.batch.api_id: card.has_left for card in response.context["changed"]}
    assert left == {"ending": True, "going_on": False}


def test_canceling_for_longer_than_usual_reaches_an_open_page(
    sign_in, row, django_assert_num_queries
):
    now = timezone.now()
    began = now - timedelta(minutes=9, seconds=50)
    with time_machine.travel(now, tick=False):
        row("slow", processing_status="canceling", cancel_initiated_at=began)
        row("other", processing_status="canceling", cancel_initiated_at=now)
        browser = sign_in("viewer")
        page = browser.get("/").text
    with (
        time_machine.travel(now + timedelta(seconds=8), tick=False),
        django_assert_num_queries(3),
    ):
        before = browser.get(poll(page), headers=HTMX)
    with time_machine.travel(now + timedelta(seconds=12), tick=False):
        after = browser.get(poll(page), headers=HTMX)
        again = browser.get(poll(after.text) + shown_keys(page), headers=HTMX)

    assert "longer than usual" not in page
    assert before.status_code == 204
    assert shown(after.text) == ["slow"]
    assert "longer than usual" in after.text
    assert again.status_code == 204


def test_a_batch_that_is_about_to_expire_is_marked_on_an_open_page(sign_in, row):
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        row("late", expires_at=now + timedelta(hours=3, minutes=2))
        browser = sign_in("viewer")
        page = browser.get("/").text
    with time_machine.travel(now + timedelta(minutes=3), tick=False):
        answer = browser.get(poll(page), headers=HTMX)

    assert shown(answer.text) == ["late"]


@pytest.mark.parametrize("at", ["0", "x", "9" * 18, "-5", "9" * 40])
def test_an_absurd_moment_in_the_address_is_ignored(sign_in, row, at):
    row("one")
    browser = sign_in("viewer")
    address = re.sub(r"&at=\d+", f"&at={at}", poll(browser.get("/").text))

    assert browser.get(address, headers=HTMX).status_code == 204
