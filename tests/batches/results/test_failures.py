import pytest

from batches.models import FailedRequest
from batches.results.failures import FailureKind, failure_kinds


@pytest.fixture
def failed(ended):
    """A function that makes a number of requests of one batch fail in the same way."""
    batch = ended()

    def failed(count: int, outcome: str, error_type: str = "", message: str = "") -> None:
        FailedRequest.objects.bulk_create(
            FailedRequest(
                batch=batch,
                custom_id=f"{outcome}-{number}",
                outcome=outcome,
                error_type=error_type,
                message=message,
            )
            for number in range(count)
        )

    failed.batch = batch
    return failed


def test_requests_are_grouped_by_outcome_type_and_message_largest_first(failed):
    failed(1, "errored", "api_error", "Internal server error")
    failed(2, "errored", "api_error", "Another one")
    failed(4, "canceled")
    failed(3, "withheld", message="A new word")

    kinds, more = failure_kinds(failed.batch)

    assert kinds == [
        FailureKind("canceled", "", "", 4),
        FailureKind("withheld", "", "A new word", 3),
        FailureKind("errored", "api_error", "Another one", 2),
        FailureKind("errored", "api_error", "Internal server error", 1),
    ]
    assert more == 0


def test_kinds_beyond_fifty_are_counted_in_the_same_query(failed, django_assert_num_queries):
    failed(2, "errored", "api_error", "The largest")
    for number in range(52):
        failed(1, "errored", "api_error", f"Message {number}")

    with django_assert_num_queries(1):
        kinds, more = failure_kinds(failed.batch)

    assert len(kinds) == 50
    assert kinds[0].message == "The largest"
    assert more == 3


def test_without_failures_there_are_no_kinds(ended):
    assert failure_kinds(ended()) == ([], 0)
