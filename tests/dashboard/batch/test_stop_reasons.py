"""Requests that succeed without a finished answer: where pages show and offer them."""

import json
from datetime import timedelta

import pytest

from batches.models import Batch
from tests.dashboard.batch.batch_page import NOON, page_of, read, words
from tests.dashboard.reading import links, table
from tests.spend_world import spent, used
from tests.working import read_now

pytestmark = pytest.mark.usefixtures("no_waits")

# As in a production run with web search.
STOPS = {
    "pause_turn": 55,
    "max_tokens": 10,
    "refusal": 5,
    "model_context_window_exceeded": 2,
    "compaction": 1,
    "end_turn": 27,
}


def as_file(stops: dict[str, int]) -> bytes:
    lines = [
        {
            "custom_id": f"{stop}-{number}",
            "result": {
                "type": "succeeded",
                "message": {
                    "model": "claude-sonnet-5",
                    "stop_reason": stop,
                    "usage": {"input_tokens": 10, "output_tokens": 1},
                },
            },
        }
        for stop, count in stops.items()
        for number in range(count)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.fixture
def paused(answering) -> Batch:
    batch = answering(as_file(STOPS), requests=100)
    assert read_now(batch)
    return batch


def test_a_batch_of_unfinished_answers_is_not_plainly_all_succeeded(sign_in, paused):
    page = sign_in("viewer").get("/").text

    assert "all succeeded 73 unfinished or refused" in words(page)
    assert 'data-outcome="all_succeeded"' in page


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"unfinished": 3}, "3 unfinished"),
        ({"refused": 1200}, "1,200 refused"),
        ({"unfinished": 1, "refused": 1}, "2 unfinished or refused"),
    ],
)
def test_a_card_says_which_of_the_two_there_are(sign_in, workspace, columns, said):
    spent(workspace, NOON, used(input=1), **columns)

    assert f"all succeeded {said} " in words(sign_in("viewer").get("/").text)


def test_a_card_without_any_says_nothing_of_it(sign_in, workspace):
    spent(workspace, NOON, used(input=1))

    page = words(sign_in("viewer").get("/?status=all").text.partition("<article")[2])

    assert "unfinished" not in page.partition("More filters")[0]


def test_the_list_can_be_narrowed_down_to_batches_with_unfinished_answers(sign_in, workspace):
    unfinished = spent(workspace, NOON, used(input=1), unfinished=3)
    refused = spent(workspace, NOON, used(input=1), refused=1)
    finished = spent(workspace, NOON, used(input=1))

    page = sign_in("viewer").get("/?results=unfinished").text

    shown = [batch.api_id in page for batch in (unfinished, refused, finished)]
    assert shown == [True, True, False]


def test_the_page_says_what_each_reason_means_and_offers_its_requests(sign_in, paused):
    page = page_of(sign_in("viewer"), paused)

    rows = table(page, "Requests by stop reason")
    assert [row[:2] for row in rows[1:4]] == [
        ["pause_turn the model paused a long turn: send its answer back to have it go on", "55"],
        ["end_turn the answer is complete", "27"],
        ["max_tokens the answer was cut off at the request's max_tokens", "10"],
    ]
    assert rows[-1][:2] == ["Unfinished or refused", "73"]
    panel = page.partition('id="stop-title"')[2].partition("</section>")[0]
    hrefs = [href for _, href in links(panel)]
    at = f"/batches/{paused.api_id}/results/"
    assert f"{at}?stop_reason=pause_turn&format=ids" in hrefs
    assert len(hrefs) == 3 * (len(STOPS) + 1)


def test_unavailable_results_are_not_offered_by_stop_reason(sign_in, workspace):
    batch = spent(workspace, NOON - timedelta(days=40), used(input=1), unfinished=3)
    read(batch, stop_reasons={"max_tokens": 3, "end_turn": 7})

    page = page_of(sign_in("viewer"), batch)

    assert "stop_reason=" not in page
    assert [row[1] for row in table(page, "Requests by stop reason")[1:]] == ["7", "3", "3"]


def results(browser, batch: Batch, query: str):
    return browser.get(f"/batches/{batch.api_id}/results/?{query}")


def test_ids_can_be_downloaded_by_stop_reason(sign_in, paused):
    answer = results(sign_in("viewer"), paused, "format=ids&stop_reason=pause_turn")

    assert answer.getvalue().decode().split() == [f"pause_turn-{n}" for n in range(55)]
    name = f"{paused.api_id}-pause_turn-ids.txt"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'


def test_the_link_to_all_unfinished_ones_leads_to_exactly_these(sign_in, paused):
    browser = sign_in("viewer")
    panel = page_of(browser, paused).partition('id="stop-title"')[2]
    (href,) = [
        href
        for words, href in links(panel.partition("</section>")[0])
        if "refusal&" in href and "pause_turn" in href and href.endswith("format=ids")
    ]

    ids = browser.get(href).getvalue().decode().split()

    assert len(ids) == len(set(ids)) == 73
    assert not [each for each in ids if each.startswith("end_turn")]


def test_lines_by_stop_reason_come_byte_for_byte(sign_in, paused):
    answer = results(sign_in("viewer"), paused, "stop_reason=refusal&outcome=succeeded")

    assert answer.getvalue() == as_file({"refusal": 5})


@pytest.mark.parametrize(
    "query",
    ["stop_reason=tired", "stop_reason=", "stop_reason=refusal&outcome=errored"],
)
def test_a_stop_reason_that_no_request_can_have_is_refused(sign_in, paused, query):
    answer = results(sign_in("viewer"), paused, query)

    assert answer.status_code == 400
    assert "why the answer of a succeeded request ended" in answer.text


def test_a_new_stop_reason_can_be_downloaded(sign_in, answering):
    batch = answering(as_file({"bored": 2, "end_turn": 1}), requests=3)
    assert read_now(batch)

    answer = results(sign_in("viewer"), batch, "format=ids&stop_reason=bored")

    assert answer.getvalue() == b"bored-0\nbored-1\n"
