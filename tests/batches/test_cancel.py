import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from batches import cancel
from batches.models import AuditEvent, Batch, Cancellation
from tests.working import claim

State = Cancellation.State


@pytest.fixture
def operator(person, workspace):
    return person("operator", workspace)


@pytest.fixture
def press(operator):
    """A function: a person presses Cancel."""

    def press(batch: Batch, actor=None, reason: str = "") -> Cancellation:
        return cancel.cancel_batch(
            batch, actor=actor or operator, address="192.0.2.7", reason=reason
        )

    return press


@pytest.fixture
def retry():
    """A function: a worker attempts the cancellation again, unless another process has it."""

    def retry(cancellation: Cancellation) -> Cancellation:
        Cancellation.objects.filter(pk=cancellation.pk).update(next_attempt_at=None)
        for due in Cancellation.objects.open().due(timezone.now()):
            cancel.attempt(claim(due))
        cancellation.refresh_from_db()
        return cancellation

    return retry


@pytest.fixture(autouse=True)
def _no_waits(no_waits):
    pass


def test_an_accepted_cancel_shows_canceling_and_records_who_when_and_why(mirrored, press):
    batch = mirrored(requests=7)

    cancellation = press(batch, reason="wrong prompt")

    batch.refresh_from_db()
    assert batch.processing_status == "canceling"
    assert cancellation.state == State.ACCEPTED
    assert cancellation.accepted_at == batch.cancel_initiated_at
    assert cancellation.requested_by_name == "operator"
    assert cancellation.requested_from == "192.0.2.7"
    assert cancellation.reason == "wrong prompt"
    assert cancellation.processing_at_request == 7
    assert cancellation.request_id.startswith("req_")


def test_the_receipt_is_settled_when_the_batch_has_ended(mirrored, press, sandbox, sync, workspace):
    batch = mirrored(requests=4)
    cancellation = press(batch)
    assert cancellation.settled_at is None

    sandbox.finish(batch.api_id)
    sync(workspace)

    cancellation.refresh_from_db()
    batch.refresh_from_db()
    assert cancellation.settled_at is not None
    assert batch.outcome == "canceled"


def test_the_request_is_committed_before_the_api_is_called(
    committed, mirrored, operator, monkeypatch, sandbox
):
    batch = mirrored()
    seen = []

    def unreachable(workspace):
        seen.append((connection.in_atomic_block, Cancellation.objects.get().state))
        raise cancel.connect.CannotCall("none")

    monkeypatch.setattr(cancel.connect, "client_for", unreachable)

    cancel.cancel_batch(batch, actor=operator, address="", reason="")

    # Outside any transaction: from here on the cancellation survives a kill -9.
    assert seen == [(False, State.REQUESTED)]


def test_pressing_twice_is_one_cancellation_and_one_call(mirrored, press, sandbox):
    batch = mirrored()

    first = press(batch)
    second = press(batch)

    assert first.pk == second.pk
    assert sandbox.accepted_cancels(batch.api_id) == 1
    assert sum(path.endswith("/cancel") for _, path in sandbox.calls) == 1


@pytest.mark.parametrize("kind", ["500", "529", "429", "garbage", "reset", "cut", "404"])
def test_a_passing_fault_leaves_it_requested_and_the_worker_confirms_it(
    mirrored, press, retry, sandbox, kind
):
    batch = mirrored()
    sandbox.fail_next(kind, times=99)

    cancellation = press(batch)

    batch.refresh_from_db()
    assert cancellation.state == State.REQUESTED
    assert cancellation.error
    assert batch.processing_status == "in_progress"
    sandbox.faults.clear()
    assert retry(cancellation).state == State.ACCEPTED
    batch.refresh_from_db()
    assert batch.processing_status == "canceling"


def test_a_round_confirms_a_cancel_whose_answer_was_lost(
    mirrored, operator, sandbox, sync, workspace
):
    batch = mirrored()
    cancellation = cancel.request(batch, actor=operator, address="", reason="")
    # The process died after the API accepted the cancel, before it saved the answer.
    cancel.connect.client_for(workspace).cancel(batch.api_id)

    sync(workspace)

    cancellation.refresh_from_db()
    assert cancellation.state == State.ACCEPTED
    assert sandbox.accepted_cancels(batch.api_id) == 1


def test_a_killed_attempt_is_taken_over_once_its_claim_has_lapsed(
    mirrored, operator, retry, sandbox
):
    batch = mirrored()
    cancellation = cancel.request(batch, actor=operator, address="", reason="")
    Cancellation.objects.take([cancellation.pk], timezone.now(), owner="killed")
    assert retry(cancellation).state == State.REQUESTED

    Cancellation.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))

    assert retry(cancellation).state == State.ACCEPTED


def test_canceling_an_ended_batch_raises_and_calls_nothing(
    mirrored, press, sandbox, workspace, sync
):
    batch = mirrored(requests=3)
    sandbox.finish(batch.api_id)
    sync(workspace)

    with pytest.raises(cancel.AlreadyEnded, match="all succeeded, 3"):
        press(batch)

    assert not any(path.endswith("/cancel") for _, path in sandbox.calls)
    assert not Cancellation.objects.exists()


def test_a_batch_that_ended_before_the_mirror_knew_overtakes_the_cancel(mirrored, press, sandbox):
    batch = mirrored(requests=3)
    sandbox.finish(batch.api_id)

    cancellation = press(batch)

    batch.refresh_from_db()
    assert cancellation.state == State.OVERTAKEN
    assert batch.outcome == "all_succeeded"


def test_canceling_a_batch_canceled_elsewhere_is_accepted(mirrored, press, sandbox, workspace):
    batch = mirrored()
    cancel.connect.client_for(workspace).cancel(batch.api_id)

    cancellation = press(batch)

    assert cancellation.state == State.ACCEPTED
    assert sandbox.accepted_cancels(batch.api_id) == 1


def test_a_refusal_keeps_the_apis_words_with_the_request_id(mirrored, press, sandbox):
    batch = mirrored()
    sandbox.fail_next("400-spend", times=1, path="/cancel")

    cancellation = press(batch)

    assert cancellation.state == State.REFUSED
    assert cancellation.request_id.startswith("req_")
    assert cancellation.request_id in cancellation.error
    batch.refresh_from_db()
    assert batch.processing_status == "in_progress"


def test_after_a_refusal_cancel_can_be_pressed_again(mirrored, press, sandbox):
    batch = mirrored()
    sandbox.fail_next("400-spend", times=1, path="/cancel")
    refused = press(batch)

    again = press(batch)

    assert again.pk != refused.pk
    assert again.state == State.ACCEPTED


def test_one_404_is_retried_and_three_over_minutes_mean_refused(mirrored, press, retry, sandbox):
    batch = mirrored()
    sandbox.remove(batch.api_id)

    cancellation = press(batch)
    assert cancellation.state == State.REQUESTED
    assert retry(cancellation).state == State.REQUESTED
    Cancellation.objects.update(not_found_since=timezone.now() - timedelta(minutes=4))

    assert retry(cancellation).state == State.REFUSED
    assert "not found" in cancellation.error


def test_a_batch_deleted_upstream_cannot_be_canceled(mirrored, press):
    batch = mirrored()
    Batch.objects.update(deleted_upstream_at=timezone.now(), is_active=False)

    with pytest.raises(cancel.AlreadyEnded, match="no longer has this batch"):
        press(batch)


def test_the_next_attempt_waits_as_long_as_the_api_requested(mirrored, press, sandbox):
    batch = mirrored()
    sandbox.fail_next("429", times=3)

    before = timezone.now()
    cancellation = press(batch)

    assert cancellation.next_attempt_at > before
    assert not Cancellation.objects.due(before).exists()


def test_pressing_again_does_not_shorten_the_pause_that_the_api_requested(mirrored, press, sandbox):
    batch = mirrored()
    sandbox.fail_next("429", times=99)
    press(batch)
    calls = len(sandbox.calls)

    again = press(batch)

    assert again.state == State.REQUESTED
    assert len(sandbox.calls) == calls


def test_every_step_is_in_the_audit(mirrored, press, sandbox, sync, workspace):
    batch = mirrored(requests=2)
    press(batch, reason="too expensive")
    sandbox.finish(batch.api_id)
    sync(workspace)

    events = list(AuditEvent.objects.order_by("id"))

    assert [event.action for event in events] == [
        "cancel requested",
        "cancel accepted",
        "batch ended",
    ]
    assert [event.reason for event in events] == ["too expensive", "", ""]
    assert events[1].request_id.startswith("req_")
    assert events[2].outcome == "canceled: 2 of 2"


def test_the_audit_names_the_person_for_the_request_and_anthropic_for_the_answers(
    mirrored, press, sandbox, sync, workspace
):
    batch = mirrored(requests=2)
    press(batch)
    sandbox.finish(batch.api_id)
    sync(workspace)

    events = AuditEvent.objects.order_by("id").values_list("action", "actor", "address")

    assert list(events) == [
        ("cancel requested", "operator", "192.0.2.7"),
        ("cancel accepted", "Anthropic", ""),
        ("batch ended", "Anthropic", ""),
    ]
    assert AuditEvent.objects.exclude(action="cancel requested").filter(actor_id=None).count() == 2


def test_ten_people_pressing_at_once_make_one_cancellation(
    committed, mirrored, person, workspace, sandbox
):
    batch = mirrored()
    people = [person("operator", workspace, name=f"operator-{n}") for n in range(10)]
    start = threading.Barrier(len(people))
    states = []

    def press_at_once(actor) -> None:
        start.wait()
        try:
            done = cancel.cancel_batch(batch, actor=actor, address="", reason="")
            states.append(done.state)
        finally:
            connection.close()

    threads = [threading.Thread(target=press_at_once, args=[actor]) for actor in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Cancellation.objects.count() == 1
    assert Cancellation.objects.get().state == State.ACCEPTED
    assert sandbox.accepted_cancels(batch.api_id) == 1
    assert set(states) <= {State.ACCEPTED, State.REQUESTED}
    assert len(states) == 10
