"""The unsuccessful requests of a batch."""

import pytest

from batches.models import FailedRequest
from tests.dashboard.api.conftest import ROOT, kind


@pytest.fixture
def url(row) -> str:
    """A batch with five unsuccessful requests."""
    batch = row("msgbatch_1", processing_status="ended", results_state="read")
    kinds = [("errored", "api_error")] * 3 + [("errored", "overloaded_error"), ("expired", "")]
    FailedRequest.objects.bulk_create(
        FailedRequest(
            batch=batch, custom_id=f"row {number}", outcome=outcome, error_type=error_type
        )
        for number, (outcome, error_type) in enumerate(kinds)
    )
    return f"{ROOT}/batches/msgbatch_1/failures"


def test_each_is_listed_with_null_for_what_the_file_doesnt_say(token, url):
    answer = token("read").get(url, {"outcome": "expired"}).json()

    assert answer == {
        "failures": [
            {
                "custom_id": "row 4",
                "outcome": "expired",
                "error_type": None,
                "message": None,
                "request_id": None,
            }
        ],
        "total": 1,
        "reason": None,
        "next": None,
    }


def test_following_the_links_gives_each_once(token, url):
    call = token("read")
    answer, found = call.get(url, {"limit": 2}), []

    for _ in range(3):
        page = answer.json()
        found += [request["custom_id"] for request in page["failures"]]
        assert page["total"] == 5
        if page["next"]:
            assert answer["Link"] == f'<{page["next"]}>; rel="next"'
            answer = call.get(page["next"].removeprefix("http://testserver"))

    assert sorted(found) == [f"row {number}" for number in range(5)]
    assert page["next"] is None


@pytest.mark.parametrize(
    "query", [{"outcome": "lost"}, {"type": "none_such"}, {"after": "999999"}, {"limit": "x"}]
)
def test_an_invalid_filter_is_refused(token, url, query):
    answer = token("read").get(url, query)

    assert (answer.status_code, kind(answer)) == (400, "invalid-query")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({}, "the batch is running"),
        ({"processing_status": "ended", "results_state": "pending"}, "results not read yet"),
        ({"processing_status": "ended", "results_state": "lost"}, "results lost"),
    ],
)
def test_unknown_is_not_an_empty_list(token, row, columns, reason):
    row("msgbatch_1", **columns)

    answer = token("read").get(f"{ROOT}/batches/msgbatch_1/failures").json()

    assert answer == {"failures": None, "total": None, "reason": reason, "next": None}
