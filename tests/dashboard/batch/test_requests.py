import html
import re

import pytest
from django.urls import reverse

from batches.models import FailedRequest, Reading
from dashboard.batch.requests import PAGE_SIZE
from tests.dashboard.reading import Tables

URL = "/batches/one/requests/"


@pytest.fixture
def failed(row):
    """A function that adds requests that did not succeed to the ended batch `one`."""
    batch = row("one", processing_status="ended", results_state="read")

    def failed(*custom_ids: str, outcome: str = "errored", **columns) -> list[FailedRequest]:
        rows = [
            FailedRequest(batch=batch, custom_id=custom_id, outcome=outcome, **columns)
            for custom_id in custom_ids
        ]
        return FailedRequest.objects.bulk_create(rows)

    return failed


@pytest.fixture
def several(failed) -> None:
    failed("a-1", "a-2", "b-1", error_type="api_error", message="Internal", request_id="req_7")
    failed("a-3", error_type="overloaded_error", message="Overloaded")
    failed("c-1", "c-2", outcome="canceled")


def rows(page: str) -> list[list[str]]:
    [found] = Tables(page).found.values() or [[]]
    return found[1:]


def ids(page: str) -> list[str]:
    return [cells[0] for cells in rows(page)]


def options(page: str, name: str) -> list[str]:
    select = page.partition(f'<select id="{name}"')[2].partition("</select>")[0]
    found = re.findall(r"<option[^>]*>([^<]+)</option>", select)[1:]
    return [" ".join(words.split()) for words in found]


def total(page: str) -> str:
    words = page.partition('<p id="total">')[2].partition("</p>")[0]
    return " ".join(re.sub("<[^>]+>", "", words).split())


def test_each_request_is_shown_as_in_the_results_file(sign_in, several):
    page = sign_in("viewer").get(URL).text

    assert ["a-1", "errored", "api_error", "Internal", "req_7"] in rows(page)
    assert ["c-1", "canceled", "", "", ""] in rows(page)
    assert total(page) == "6 requests"


def test_ids_of_one_kind_come_in_the_order_of_their_numbers_on_every_page(sign_in, failed):
    numbers = [*range(PAGE_SIZE + 12, 0, -1)]
    failed(*(f"r{number}" for number in numbers), error_type="api_error")
    failed("r0", error_type="overloaded_error")
    browser = sign_in("viewer")

    first = browser.get(URL).text
    following = html.unescape(re.search(r'<a rel="next" href="([^"]+)"', first)[1])
    second = browser.get(following).text

    assert ids(first) + ids(second) == [f"r{number}" for number in sorted(numbers)] + ["r0"]


@pytest.mark.parametrize(
    ("query", "columns"),
    [({}, 5), ({"outcome": "canceled"}, 4), ({"q": "c-"}, 4), ({"q": "-1"}, 5)],
)
def test_a_column_that_would_say_the_same_in_every_row_is_left_out(
    sign_in, several, query, columns
):
    page = sign_in("viewer").get(URL, query).text

    assert {len(cells) for cells in rows(page)} == {columns}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"outcome": "canceled"}, ["c-1", "c-2"]),
        ({"type": "overloaded_error"}, ["a-3"]),
        ({"type": "(none)"}, ["c-1", "c-2"]),
        ({"q": "A-"}, ["a-1", "a-2", "a-3"]),
        ({"q": "-1", "outcome": "errored", "type": "api_error"}, ["a-1", "b-1"]),
    ],
)
def test_filters_apply_alone_and_together(sign_in, several, query, expected):
    page = sign_in("viewer").get(URL, query).text

    assert ids(page) == expected
    assert total(page) == f"{len(expected)} of 6 requests"


def test_the_counts_of_each_choice_follow_the_other_filters(sign_in, several):
    page = sign_in("viewer").get(URL, {"q": "a-", "type": "api_error"}).text

    assert options(page, "outcome") == ["errored (2)", "canceled (0)", "expired (0)"]
    assert options(page, "type") == ["(none) (0)", "api_error (2)", "overloaded_error (1)"]


def test_a_new_outcome_can_be_chosen(sign_in, failed):
    failed("x", outcome="withheld")

    page = sign_in("viewer").get(URL, {"outcome": "withheld"}).text

    assert ids(page) == ["x"]
    assert "withheld (1)" in options(page, "outcome")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"outcome": "succeeded"}, "Outcome: “succeeded” is not a valid value."),
        ({"type": "<b>"}, "Error type: “<b>” is not a valid value."),
        ({"q": "x" * 201}, "Search: text is limited to 200 characters"),
        ({"q": "a\0b"}, "Search: it contains an invalid character."),
        ({"after": "99999"}, "That page does not exist."),
        ({"after": "one"}, "That page does not exist."),
        ({"after": "9" * 30}, "That page does not exist."),
    ],
)
def test_an_invalid_value_is_named_and_ignored(sign_in, several, query, words):
    answer = sign_in("viewer").get(URL, query)

    assert answer.status_code == 200
    assert words in html.unescape(answer.text)
    assert len(rows(answer.text)) == 6


def test_every_page_continues_where_the_last_one_ended(sign_in, failed):
    made = failed(*(f"id-{n}" for n in range(PAGE_SIZE + 1)), error_type="api_error")
    made += failed(*(f"no-{n}" for n in range(PAGE_SIZE)), outcome="canceled")
    made += failed(*(f"up-{n}" for n in range(20)), error_type="overloaded_error")
    browser = sign_in("viewer")
    seen, address = [], URL

    while address:
        page = browser.get(address).text
        seen += ids(page)
        following = re.search(r'<a rel="next" href="([^"]+)"', page)
        address = html.unescape(following[1]) if following else ""

    assert sorted(seen) == sorted(request.custom_id for request in made)


def test_a_page_keeps_the_filters(sign_in, failed):
    failed(*(f"id-{n}" for n in range(PAGE_SIZE + 1)), outcome="expired")

    page = sign_in("viewer").get(URL, {"outcome": "expired", "q": "id"}).text

    following = html.unescape(re.search(r'<a rel="next" href="([^"]+)"', page)[1])
    assert "outcome=expired&q=id&after=" in following


def test_the_downloads_keep_the_outcome(sign_in, several):
    browser = sign_in("viewer")
    results = reverse("batch-results", args=["one"])

    everything = html.unescape(browser.get(URL).text)
    canceled = html.unescape(browser.get(URL, {"outcome": "canceled"}).text)

    for kind in ("csv", "ids"):
        assert f'{results}?outcome=errored&format={kind}"' in everything
        assert f'{results}?outcome=canceled&format={kind}"' in everything
        assert f"outcome=expired&format={kind}" not in everything
        assert f'{results}?outcome=canceled&format={kind}"' in canceled
        assert "outcome=errored&format" not in canceled


def test_hostile_text_is_shown_and_not_run(sign_in, failed):
    evil = "<script>alert(1)</script>"
    failed(evil, error_type=evil, message=evil, request_id=evil)

    page = sign_in("viewer").get(URL, {"type": evil, "q": evil}).text

    assert evil not in page
    assert rows(page)[0] == [evil, evil, evil, evil]


@pytest.mark.parametrize(
    ("columns", "reading", "words"),
    [
        ({}, None, "Not ended yet"),
        ({"processing_status": "canceling"}, None, "Not ended yet"),
        ({"processing_status": "ended"}, None, "Results not read yet"),
        ({"processing_status": "ended"}, {"error": "The file is short."}, "The file is short."),
        (
            {"processing_status": "ended", "results_state": "unreadable"},
            {"error": "The file is garbled."},
            "The file is garbled.",
        ),
        ({"processing_status": "ended", "results_state": "lost"}, None, "The results expired"),
        ({"processing_status": "ended", "results_state": "read"}, None, "Nothing failed"),
        (
            {"processing_status": "ended", "results_state": "read"},
            {"odd_lines": 1, "problem": "1 of 10 lines could not be read."},
            "No request is known to have failed",
        ),
    ],
)
def test_an_empty_list_says_why(sign_in, row, columns, reading, words):
    batch = row("one", **columns)
    if reading:
        Reading.objects.create(batch=batch, **reading)

    page = sign_in("viewer").get(URL).text

    assert words in page
    assert not rows(page)


def test_no_match_leads_back_to_all(sign_in, several):
    page = sign_in("viewer").get(URL, {"q": "nothing-like-it"}).text

    assert "No request matches" in page
    assert f'<a href="{URL}">Show all 6.</a>' in page


def test_another_batchs_requests_are_not_among_them(sign_in, several, row):
    FailedRequest.objects.create(batch=row("two"), custom_id="theirs", outcome="errored")

    assert "theirs" not in sign_in("viewer").get(URL).text


def test_another_teams_requests_are_not_there(sign_in, several, other_workspace):
    assert sign_in("lead", other_workspace).get(URL).status_code == 404


@pytest.mark.parametrize("query", [{}, {"q": "id", "outcome": "errored", "type": "api_error"}])
def test_a_full_page_takes_as_many_queries_as_a_short_one(
    sign_in, failed, django_assert_num_queries, query
):
    failed(*(f"id-{n}" for n in range(3 * PAGE_SIZE)), error_type="api_error")
    browser = sign_in("viewer")

    # Session, person with role, batch; counts, requests, and how the reading went.
    with django_assert_num_queries(6):
        page = browser.get(URL, query).text

    assert len(rows(page)) == PAGE_SIZE
