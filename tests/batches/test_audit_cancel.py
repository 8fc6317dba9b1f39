"""What the audit records when several people cancel, and when the API answers."""

import pytest

from batches import cancel
from batches.models import AuditEvent, Cancellation


@pytest.fixture
def batch(mirrored):
    return mirrored(requests=2)


@pytest.fixture
def press(batch):
    """A function: a person presses Cancel."""

    def press(actor, reason: str = "", address: str = "192.0.2.7") -> Cancellation:
        return cancel.cancel_batch(batch, actor=actor, address=address, reason=reason)

    return press


def repeated() -> list[tuple]:
    events = AuditEvent.objects.filter(action="cancel requested again").order_by("pk")
    return list(events.values_list("actor", "reason", "address"))


def test_a_second_persons_reason_is_kept_as_a_step_of_the_same_cancellation(press, person):
    first = press(person("operator", name="ada"), "wrong prompt")

    press(person("operator", name="bob"), "too expensive", "192.0.2.8")

    [again] = AuditEvent.objects.filter(action="cancel requested again")
    assert (again.actor, again.reason, again.address) == ("bob", "too expensive", "192.0.2.8")
    assert (again.cancellation_id, again.is_step) == (first.pk, True)
    assert Cancellation.objects.count() == 1


def test_a_second_person_is_recorded_without_a_reason_too(press, person):
    press(person("operator", name="ada"), "wrong prompt")

    press(person("operator", name="bob"))

    assert repeated() == [("bob", "", "192.0.2.7")]


def test_the_same_person_is_recorded_again_only_for_another_reason(press, person):
    ada = person("operator", name="ada")
    press(ada, "wrong prompt")

    for reason in ("wrong prompt", "", "wrong prompt", "too expensive", "too expensive"):
        press(ada, reason)

    assert repeated() == [("ada", "too expensive", "192.0.2.7")]


def test_the_audit_records_a_limited_number_of_presses_by_one_person(press, person):
    ada = person("operator", name="ada")

    for number in range(cancel.MOST_RECORDED + 5):
        press(ada, f"reason {number}")

    assert AuditEvent.objects.filter(actor="ada").count() == cancel.MOST_RECORDED


def test_an_answer_has_no_reason_and_the_end_no_request_id(press, person, batch, sandbox, sync):
    press(person("operator", name="ada"), "wrong prompt")
    sandbox.finish(batch.api_id)
    sync(batch.workspace)

    accepted, ended = AuditEvent.objects.filter(is_step=True).order_by("pk")

    assert accepted.reason == ended.reason == ""
    assert accepted.request_id.startswith("req_")
    assert ended.request_id == ""
    assert {accepted.actor_kind, ended.actor_kind} == {"anthropic"}
