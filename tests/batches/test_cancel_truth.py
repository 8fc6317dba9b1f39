"""What each answer of the API means for a cancellation: requested is not accepted."""

import json
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batches import cancel, connect
from batches.mirror.store import store
from batches.models import AuditEvent, Batch, Cancellation
from tests.working import claim

pytestmark = pytest.mark.usefixtures("no_waits")
State = Cancellation.State


@pytest.fixture
def scripted(mirrored, monkeypatch, person, workspace):
    """A batch, and an API that answers cancels and retrieves as the test says.

    Answers are "canceling", "canceled", "ended", "unchanged", a status code or an exception.
    """

    class Scripted:
        def __init__(self) -> None:
            self.batch = mirrored(requests=5)
            self.cancels: list = []
            self.retrieves: list = []
            self.calls: list[str] = []
            self.operator = person("operator", workspace)
            connect.forget_clients()
            monkeypatch.setattr(connect, "transport", lambda: httpx.MockTransport(self.answer))

        def answer(self, request: httpx.Request) -> httpx.Response:
            is_cancel = request.method == "POST"
            self.calls.append("cancel" if is_cancel else "retrieve")
            script = self.cancels if is_cancel else self.retrieves
            answer = script.pop(0) if len(script) > 1 else script[0]
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, int):
                error = {"type": "invalid_request_error", "message": f"No: {answer}."}
                return httpx.Response(
                    answer,
                    json={"type": "error", "error": error},
                    headers={"request-id": f"req_{answer}"},
                )
            return httpx.Response(200, json=self.described(answer))

        def described(self, answer: str) -> dict:
            """The batch as the API describes it in this answer."""
            raw = json.loads(json.dumps(Batch.objects.get().raw))
            now = timezone.now().isoformat()
            if answer in {"canceling", "canceled"}:
                raw["cancel_initiated_at"] = now
                raw["processing_status"] = "canceling"
            if answer in {"ended", "canceled"}:
                counts = dict.fromkeys(raw["request_counts"], 0)
                counts["canceled" if answer == "canceled" else "succeeded"] = 5
                raw |= {"processing_status": "ended", "ended_at": now, "request_counts": counts}
            return raw

        def press(self) -> Cancellation:
            return cancel.cancel_batch(
                Batch.objects.select_related("workspace").get(),
                actor=self.operator,
                address="",
                reason="",
            )

        def retry(self) -> Cancellation:
            Cancellation.objects.update(next_attempt_at=None)
            row = claim(Cancellation.objects.get())
            cancel.attempt(row)
            return Cancellation.objects.get()

    return Scripted()


LOST = httpx.ReadError("connection reset")


@pytest.mark.parametrize(
    ("cancels", "retrieves", "state"),
    [
        (["canceling"], [], State.ACCEPTED),
        (["canceled"], [], State.ACCEPTED),
        (["ended"], [], State.OVERTAKEN),
        # Status 200, but no sign of the cancel: the batch itself decides.
        (["unchanged"], ["canceling"], State.ACCEPTED),
        (["unchanged"], ["unchanged"], State.REQUESTED),
        (["unchanged"], [500], State.REQUESTED),
        # Refused only if the batch, retrieved, still runs.
        ([400], ["unchanged"], State.REFUSED),
        ([400], ["canceling"], State.ACCEPTED),
        ([400], ["ended"], State.OVERTAKEN),
        ([400], [500], State.REQUESTED),
        ([400], [404], State.REQUESTED),
        ([400], [LOST], State.REQUESTED),
        # The answer was lost and the retry met a conflict: the cancel may be accepted.
        ([LOST, 409], ["canceling"], State.ACCEPTED),
        ([LOST, 409], ["unchanged"], State.REQUESTED),
        ([LOST, 409], [529], State.REQUESTED),
        ([LOST, 409], [404], State.REQUESTED),
        ([409], ["unchanged"], State.REQUESTED),
        # Errors of the key or the network say nothing about the batch.
        ([401], ["unchanged"], State.REQUESTED),
        ([402], ["unchanged"], State.REQUESTED),
        ([403], ["unchanged"], State.REQUESTED),
        ([404], ["unchanged"], State.REQUESTED),
        ([429], [], State.REQUESTED),
        ([529], [], State.REQUESTED),
        ([LOST], [], State.REQUESTED),
    ],
)
def test_each_answer_leads_to_the_state_that_it_proves(scripted, cancels, retrieves, state):
    scripted.cancels, scripted.retrieves = cancels, retrieves

    pressed = scripted.press()

    assert pressed.state == state
    assert Cancellation.objects.get().state == state


def test_an_unconfirmed_cancellation_is_retried_and_confirmed(scripted):
    scripted.cancels, scripted.retrieves = ["unchanged"], ["unchanged"]
    scripted.press()
    scripted.cancels = ["canceling"]

    assert scripted.retry().state == State.ACCEPTED
    actions = AuditEvent.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["cancel requested", "cancel accepted"]


def test_only_404s_in_a_row_mean_that_the_batch_is_deleted(scripted):
    scripted.cancels = [404]
    scripted.press()
    Cancellation.objects.update(not_found_since=timezone.now() - timedelta(minutes=10))
    scripted.cancels = [529]
    scripted.retry()
    scripted.cancels = [404]

    assert [scripted.retry().state for _ in range(3)] == [State.REQUESTED] * 3
    Cancellation.objects.update(not_found_since=timezone.now() - timedelta(minutes=4))
    assert scripted.retry().state == State.REFUSED


def test_a_round_that_sees_the_cancel_corrects_a_refused_cancellation(scripted, workspace):
    scripted.cancels, scripted.retrieves = [400], ["unchanged"]
    assert scripted.press().state == State.REFUSED
    seen = scripted.described("canceling")
    remote = connect.client_for(workspace)
    scripted.retrieves = ["canceling"]

    store(workspace, [remote.retrieve(seen["id"])], now=timezone.now())

    cancellation = Cancellation.objects.get()
    assert cancellation.state == State.ACCEPTED
    assert cancellation.accepted_at == Batch.objects.get().cancel_initiated_at
    assert cancellation.settled_at is None
    last = AuditEvent.objects.order_by("id").last()
    assert (last.action, last.actor) == ("cancel accepted", "Anthropic")


def test_a_cancel_hours_later_does_not_correct_a_refused_cancellation(scripted, workspace):
    scripted.cancels, scripted.retrieves = [400], ["unchanged"]
    scripted.press()
    Cancellation.objects.update(
        requested_at=timezone.now() - timedelta(hours=3),
        settled_at=timezone.now() - timedelta(hours=3),
    )
    scripted.retrieves = ["canceling"]
    api_id = scripted.batch.api_id

    remote = connect.client_for(workspace).retrieve(api_id)
    store(workspace, [remote], now=timezone.now())

    assert Cancellation.objects.get().state == State.REFUSED


def test_a_refused_cancellation_is_not_corrected_if_there_is_a_later_one(scripted, workspace):
    scripted.cancels, scripted.retrieves = [400], ["unchanged"]
    scripted.press()
    scripted.cancels = [529]
    second = scripted.press()
    scripted.retrieves = ["canceling"]
    api_id = scripted.batch.api_id

    remote = connect.client_for(workspace).retrieve(api_id)
    store(workspace, [remote], now=timezone.now())

    states = Cancellation.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == [State.REFUSED, State.ACCEPTED]
    second.refresh_from_db()
    assert second.state == State.ACCEPTED


def test_an_attempt_whose_claim_was_lost_writes_nothing(scripted):
    scripted.cancels = [529]
    scripted.press()
    Cancellation.objects.update(next_attempt_at=None)
    claimed = claim(Cancellation.objects.get())
    Cancellation.objects.update(claim="another", error="another's")

    cancel.attempt(claimed)

    kept = Cancellation.objects.get()
    assert (kept.claim, kept.error, kept.attempts) == ("another", "another's", 1)


@pytest.mark.parametrize("state", [State.REFUSED, State.OVERTAKEN, State.ACCEPTED])
def test_a_cancellation_settled_before_it_was_claimed_is_not_sent(scripted, state):
    scripted.cancels = [529]
    scripted.press()
    Cancellation.objects.update(next_attempt_at=None, state=state)
    scripted.calls.clear()

    cancel.attempt(claim(Cancellation.objects.get()))

    assert scripted.calls == []
    assert Cancellation.objects.get().claim == ""


ANSWER = st.sampled_from(
    ["canceling", "ended", "unchanged", 400, 401, 403, 404, 409, 429, 500, 529, LOST]
)


@given(
    cancels=st.lists(ANSWER, min_size=1, max_size=6),
    retrieves=st.lists(ANSWER, min_size=1, max_size=6),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_accepted_only_if_the_batch_shows_it_and_refused_only_if_it_still_runs(
    scripted, cancels, retrieves
):
    """For any answers in any order."""
    reset(scripted)
    scripted.cancels, scripted.retrieves = list(cancels), list(retrieves)

    scripted.press()
    for _ in range(4):
        row = Cancellation.objects.get()
        if not row.is_open:
            break
        scripted.retry()

    row, batch = Cancellation.objects.get(), Batch.objects.get()
    answers = {str(answer) for answer in (*cancels, *retrieves)}
    if row.state == State.ACCEPTED:
        assert batch.processing_status == "canceling"
    elif row.state == State.OVERTAKEN:
        assert batch.processing_status == "ended"
    elif row.state == State.REFUSED:
        assert batch.processing_status == "in_progress"
        assert "400" in answers
    outcomes = AuditEvent.objects.filter(cancellation_id=row.pk, is_step=True)
    assert outcomes.count() == (0 if row.is_open else 1)


def reset(scripted) -> None:
    """Restore the batch, without cancellations."""
    Batch.objects.all().delete()
    Cancellation.objects.all().delete()
    Batch.objects.bulk_create([scripted.batch])
