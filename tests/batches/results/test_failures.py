import pytest

from batches.models import FailedRequest
from batches.results.failures import FailureKind, Remedy, failure_groups


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


def test_failures_are_grouped_by_what_helps_and_the_largest_kind_comes_first(failed):
    failed(1, "errored", "api_error", "Internal server error")
    failed(2, "errored", "api_error", "Another one")
    failed(4, "canceled")
    failed(5, "errored", "invalid_request_error", "prompt is too long")
    failed(3, "withheld", message="A new word")
    failed(1, "errored", "new_error", "New")

    groups = failure_groups(failed.batch)

    assert [(group.remedy, group.requests, group.kinds) for group in groups] == [
        (
            Remedy.RETRY,
            7,
            [
                FailureKind("canceled", "", "", 4),
                FailureKind("errored", "api_error", "Another one", 2),
                FailureKind("errored", "api_error", "Internal server error", 1),
            ],
        ),
        (Remedy.FIX, 5, [FailureKind("errored", "invalid_request_error", "prompt is too long", 5)]),
        (
            Remedy.UNKNOWN,
            4,
            [
                FailureKind("withheld", "", "A new word", 3),
                FailureKind("errored", "new_error", "New", 1),
            ],
        ),
    ]


def test_many_kinds_of_one_group_never_crowd_out_another(failed, django_assert_num_queries):
    failed(1, "expired")
    for number in range(53):
        failed(2, "errored", "invalid_request_error", f"Message {number}")

    with django_assert_num_queries(1):
        retry, fix = failure_groups(failed.batch)

    assert (retry.requests, retry.more) == (1, 0)
    assert (fix.requests, len(fix.kinds), fix.more) == (106, 50, 3)


def test_kinds_of_one_size_come_in_the_order_of_the_numbers_in_their_messages(failed):
    for number in (10, 1, 2, 100):
        failed(1, "errored", "invalid_request_error", f"messages.{number}: bad")

    [fix] = failure_groups(failed.batch)

    assert [kind.message for kind in fix.kinds] == [
        f"messages.{number}: bad" for number in (1, 2, 10, 100)
    ]


def test_without_failures_there_are_no_groups(ended):
    assert failure_groups(ended()) == []
