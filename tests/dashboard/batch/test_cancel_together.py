"""Two people who cancel the same batch: the second is told, and the receipt names both."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches.models import Cancellation
from tests.dashboard.batch.batch_page import fact, page_of, section, words
from tests.dashboard.conftest import HTMX

URL = "/batches/msgbatch_1/cancel/"


@pytest.fixture(autouse=True)
def _no_waits(no_waits):
    pass


@pytest.fixture
def batch(mirrored):
    return mirrored("msgbatch_1")


@pytest.fixture
def ada(sign_in, batch):
    """The browser of ada, who requested the cancel twelve minutes ago."""
    browser = sign_in("operator", name="ada")
    browser.post(URL, {"reason": "wrong prompt"}, headers=HTMX)
    Cancellation.objects.update(requested_at=timezone.now() - timedelta(minutes=12))
    return browser


@pytest.fixture
def grace(sign_in, ada):
    return sign_in("operator", name="grace")


def test_the_second_person_is_told_who_was_first_and_that_the_reason_is_kept(grace):
    answer = grace.post(URL, {"reason": "too expensive"}, headers=HTMX).text

    assert (
        "ada requested this cancel 12 min before you; your reason was added as a note."
    ) in words(answer)
    assert 'data-status="canceling"' in answer


def test_without_a_reason_the_second_person_is_told_of_no_note(grace):
    answer = grace.post(URL, headers=HTMX).text

    assert "ada requested this cancel 12 min before you." in words(answer)


def test_a_reason_beyond_those_recorded_is_not_said_to_be_kept(grace, monkeypatch):
    monkeypatch.setattr("batches.cancel.MOST_RECORDED", 1)
    grace.post(URL, {"reason": "too expensive"}, headers=HTMX)

    answer = grace.post(URL, {"reason": "and slow"}, headers=HTMX).text

    assert "ada requested this cancel 12 min before you." in words(answer)


def test_within_the_same_second_it_was_just_before(grace):
    now = timezone.now()
    Cancellation.objects.update(requested_at=now - timedelta(milliseconds=900))

    with time_machine.travel(now, tick=False):
        answer = grace.post(URL, headers=HTMX).text

    assert "ada requested this cancel just before you." in words(answer)


def test_the_same_person_pressing_twice_is_not_told_of_themselves(ada):
    answer = ada.post(URL, {"reason": "too expensive"}, headers=HTMX).text

    assert "before you" not in answer


def test_without_scripts_the_second_person_is_told_too(grace):
    page = grace.post(URL, {"reason": "too expensive"}, follow=True).text

    assert (
        "ada requested this cancel 12 min before you; your reason was added as a note. "
        "The API accepted the cancellation: the batch is canceling."
    ) in words(page)


def test_the_receipt_names_everyone_with_their_reasons(grace, sign_in, batch):
    grace.post(URL, {"reason": "too expensive"}, headers=HTMX)
    sign_in("operator", name="linus").post(URL, headers=HTMX)

    receipt = section(page_of(grace, batch), "receipt-title")

    assert "Requested by ada Reason wrong prompt" in receipt
    assert "Also requested by grace “ too expensive ”" in receipt
    assert "Also requested by linus no reason given" in receipt


def test_the_receipt_shows_whose_address_it_was_only_to_those_who_may_see_the_audit(
    grace, sign_in, batch
):
    grace.post(URL, REMOTE_ADDR="192.0.2.9", headers=HTMX)

    assert "192.0.2.9" not in page_of(grace, batch)
    assert "from 192.0.2.9" in fact(page_of(sign_in("lead"), batch), "Also requested by")


def test_an_open_page_of_the_batch_learns_of_the_second_person(grace, ada, batch):
    version = page_of(ada, batch).partition('data-version="')[2].partition('"')[0]

    grace.post(URL, {"reason": "too expensive"}, headers=HTMX)
    poll = ada.get(f"{batch.get_absolute_url()}live/", {"v": version}, headers=HTMX)

    assert "too expensive" in section(poll.text, "receipt-title")


@pytest.mark.parametrize("people", [1, 5])
def test_a_receipt_takes_one_query_however_many_pressed(ada, sign_in, batch, people):
    for number in range(people):
        sign_in("operator", name=f"person-{number}").post(URL, headers=HTMX)

    with CaptureQueriesContext(connection) as queries:
        page = page_of(ada, batch)

    assert page.count("Also requested by") == people
    assert sum("batches_auditevent" in query["sql"] for query in queries) == 1
