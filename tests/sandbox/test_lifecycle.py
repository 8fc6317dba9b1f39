"""A batch's life cycle: created, canceled, ended, archived, deleted."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.sandbox.conftest import BATCHES, create, error

ORDER = [
    "id",
    "type",
    "processing_status",
    "request_counts",
    "ended_at",
    "created_at",
    "expires_at",
    "archived_at",
    "cancel_initiated_at",
    "results_url",
]


def counts(api, batch_id):
    return api.describe(batch_id)["request_counts"]


def test_a_new_batch_is_in_progress_with_every_key_in_the_apis_order(http):
    batch = create(http, "one", "two")

    assert list(batch) == ORDER
    assert batch == {
        "id": batch["id"],
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": {
            "processing": 2,
            "succeeded": 0,
            "errored": 0,
            "canceled": 0,
            "expired": 0,
        },
        "ended_at": None,
        "created_at": "2026-11-24T12:00:00.000000+00:00",
        "expires_at": "2026-11-25T12:00:00.000000+00:00",
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    }


def test_a_created_batch_has_ended_a_day_later(http, clock):
    batch_id = create(http, "one", "two", "three")["id"]

    clock.forward(hours=24)

    batch = http.get(f"{BATCHES}/{batch_id}").json()
    assert batch["processing_status"] == "ended"
    assert batch["request_counts"]["processing"] == 0
    assert sum(batch["request_counts"].values()) == 3
    assert batch["results_url"] == f"http://sandbox{BATCHES}/{batch_id}/results"


def test_most_but_not_all_created_batches_end_within_an_hour(http, api, clock):
    ids = [create(http, "one")["id"] for _ in range(100)]

    clock.forward(hours=1)

    ended = sum(api.describe(each)["processing_status"] == "ended" for each in ids)
    assert 50 < ended < 100


def test_all_requests_count_as_processing_until_the_end(api, clock):
    batch_id = api.add_batch(requests=100, errored=10, duration=timedelta(hours=1))

    clock.forward(minutes=59)
    before = counts(api, batch_id)
    clock.forward(minutes=1)

    assert before["processing"] == 100
    assert counts(api, batch_id)["succeeded"] == 90
    assert counts(api, batch_id)["errored"] == 10


def test_moving_counts_grow_and_always_add_up(api, clock):
    batch_id = api.add_batch(requests=100, duration=timedelta(hours=1), moving_counts=True)

    seen = []
    for _ in range(6):
        seen.append(counts(api, batch_id))
        clock.forward(minutes=12)

    assert [each["succeeded"] for each in seen] == [0, 20, 40, 60, 80, 100]
    assert {sum(each.values()) for each in seen} == {100}


def test_a_canceled_batch_is_canceling_for_a_while_and_ends_with_final_counts(api, http, clock):
    batch_id = api.add_batch(requests=100, duration=timedelta(hours=1))
    clock.forward(minutes=30)

    accepted = http.post(f"{BATCHES}/{batch_id}/cancel").json()
    clock.forward(seconds=20)
    meanwhile = api.describe(batch_id)
    clock.forward(seconds=41)
    ended = api.describe(batch_id)

    assert accepted["processing_status"] == "canceling"
    assert accepted["cancel_initiated_at"] == "2026-11-24T12:30:00.000000+00:00"
    assert meanwhile["processing_status"] == "canceling"
    assert meanwhile["request_counts"]["processing"] == 100
    assert ended["processing_status"] == "ended"
    # Half had finished, and a few of the others can't be interrupted.
    assert 45 <= ended["request_counts"]["canceled"] <= 50
    assert sum(ended["request_counts"].values()) == 100


def test_moving_counts_never_fall_when_a_batch_is_canceled(api, http, clock):
    batch_id = api.add_batch(requests=100, duration=timedelta(hours=1), moving_counts=True)
    clock.forward(minutes=30)

    http.post(f"{BATCHES}/{batch_id}/cancel")
    succeeded = [counts(api, batch_id)["succeeded"]]
    clock.forward(seconds=20)
    succeeded.append(counts(api, batch_id)["succeeded"])
    clock.forward(seconds=60)
    succeeded.append(counts(api, batch_id)["succeeded"])

    assert succeeded[:2] == [50, 50]
    assert succeeded[2] >= 50


def test_a_cancel_just_before_the_end_cancels_nothing(api, http, clock):
    batch_id = api.add_batch(requests=10, duration=timedelta(hours=1))
    clock.forward(minutes=59, seconds=50)

    http.post(f"{BATCHES}/{batch_id}/cancel")
    clock.forward(seconds=10)

    batch = api.describe(batch_id)
    assert batch["processing_status"] == "ended"
    assert batch["cancel_initiated_at"] is not None
    assert batch["request_counts"]["succeeded"] == 10


def test_a_canceled_batch_that_cannot_be_interrupted_finishes(api, http, clock):
    batch_id = api.add_batch(requests=10, is_interruptible=False)

    http.post(f"{BATCHES}/{batch_id}/cancel")
    clock.forward(minutes=1)

    assert counts(api, batch_id)["succeeded"] == 10
    assert counts(api, batch_id)["canceled"] == 0


def test_requests_left_after_a_day_expire(api, clock):
    batch_id = api.add_batch(requests=10, expired=4, duration=timedelta(hours=24))

    clock.forward(hours=24)

    batch = api.describe(batch_id)
    assert batch["ended_at"] == batch["expires_at"]
    assert batch["request_counts"]["expired"] == 4


def test_a_second_cancel_changes_nothing_and_is_not_accepted_again(api, http, clock):
    batch_id = api.add_batch()
    first = http.post(f"{BATCHES}/{batch_id}/cancel")
    clock.forward(seconds=5)

    second = http.post(f"{BATCHES}/{batch_id}/cancel")

    assert second.status_code == 200
    assert second.json() == first.json()
    assert api.accepted_cancels(batch_id) == 1
    assert http.get("/sandbox/accepted-cancels").json() == {batch_id: 1}


@pytest.mark.parametrize("status", [400, 404, 409])
@pytest.mark.parametrize(
    ("option", "state"), [("second_cancel", "canceling"), ("cancel_of_ended", "ended")]
)
def test_a_late_cancel_is_refused_with_the_chosen_status(make_api, ask, option, state, status):
    api = make_api(**{option: status})
    batch_id = api.add_batch(status=state)

    response = ask(api).post(f"{BATCHES}/{batch_id}/cancel")

    assert error(response)[0] == status
    assert api.describe(batch_id)["processing_status"] == state


def test_a_cancel_of_an_ended_batch_is_refused_by_default(api, http):
    batch_id = api.add_batch(status="ended")

    response = http.post(f"{BATCHES}/{batch_id}/cancel")

    assert error(response)[:2] == (400, "invalid_request_error")
    assert api.accepted_cancels(batch_id) == 0


def test_only_an_ended_batch_can_be_deleted(api, http):
    batch_id = api.add_batch()

    refused = http.delete(f"{BATCHES}/{batch_id}")
    api.finish(batch_id)
    deleted = http.delete(f"{BATCHES}/{batch_id}")

    assert error(refused) == (
        400,
        "invalid_request_error",
        "In progress batches cannot be deleted. Consider canceling the batch instead.",
    )
    assert deleted.json() == {"id": batch_id, "type": "message_batch_deleted"}
    assert error(http.get(f"{BATCHES}/{batch_id}")) == (
        404,
        "not_found_error",
        f"Message Batch {batch_id} not found.",
    )
    assert http.get(BATCHES).json()["data"] == []


def test_results_are_archived_29_days_after_creation_but_the_batch_stays(api, http, clock):
    batch_id = api.add_batch(status="ended", created_at=clock() - timedelta(days=28, hours=23))

    before = http.get(f"{BATCHES}/{batch_id}/results")
    clock.forward(hours=1)
    after = http.get(f"{BATCHES}/{batch_id}/results")

    assert before.status_code == 200
    assert after.status_code == 404
    assert http.get(f"{BATCHES}/{batch_id}").json()["archived_at"] == (
        "2026-11-24T13:00:00.000000+00:00"
    )


def test_at_speed_60_a_second_is_a_minute(make_api, clock):
    api = make_api(speed=60)
    batch_id = api.add_batch(duration=timedelta(hours=1))

    clock.forward(seconds=59)
    before = api.describe(batch_id)["processing_status"]
    clock.forward(seconds=1)

    assert before == "in_progress"
    assert api.describe(batch_id)["processing_status"] == "ended"


@pytest.mark.parametrize(
    "impossible",
    [
        {"requests": 3, "errored": 4},
        {"requests": 0},
        {"succeeded": 1, "requests": 3},
        {"errored": -1},
        {"status": "failed"},
        {"canceled": 2},
        {"status": "ended", "duration": timedelta(hours=-1)},
        {"created_at": datetime(2026, 11, 23, 12, tzinfo=UTC)},
    ],
)
def test_an_impossible_batch_is_refused(api, impossible):
    with pytest.raises(ValueError, match=r"\w"):
        api.add_batch(**impossible)
