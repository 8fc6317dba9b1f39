import pytest

from batches.models import FailedRequest
from batches.results.failures import FailureKind, failure_kinds


@pytest.fixture
def failed(ended):
    """A function that makes requests of one batch fail alike, so many of them."""
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
    failed(3, "withheld", message="A word that is new")

    kinds, more = failure_kinds(failed.batch)

    assert kinds == [
        FailureKind("canceled", "", "", 4),
        FailureKind("withheld", "", "A word that is new", 3),
        FailureKind("errored", "api_error", "Another one", 2),
        FailureKind("errored", "api_error", "Internal server error", 1),
    ]
    assert more == 0


def test_past_fifty_kinds_the_rest_is_counted_in_the_same_query(failed, django_assert_num_queries):
    failed(2, "errored", "api_error", "The largest")
    for number in range(52):
        failed(1, "errored", "api_error", f"Message {number}")

    with django_assert_num_queries(1):
        kinds, more = failure_kinds(failed.batch)

    assert len(kinds) == 50
    assert kinds[0].message == "The largest"
    assert more == 3


def test_without_failures_there_is_nothing_to_tell(ended):
    assert failure_kinds(ended()) == ([], 0)
