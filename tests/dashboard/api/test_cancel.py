"""Cancels by programs: the same path as the button's."""

import pytest

from batches.models import AuditEvent, Cancellation
from tests.dashboard.api.conftest import ROOT, kind

pytestmark = pytest.mark.usefixtures("no_waits")


def cancel(client, api_id: str, body: str = ""):
    return client.post(f"{ROOT}/batches/{api_id}/cancel", body, "application/json")


def test_an_accepted_cancel_is_200_with_the_batch_canceling(token, mirrored, sandbox):
    batch = mirrored()

    answer = cancel(token("cancel"), batch.api_id, '{"reason": "wrong prompt"}')

    assert answer.status_code == 200
    shown = answer.json()["batch"]
    assert shown["processing_status"] == "canceling"
    assert shown["cancellation"]["state"] == "accepted"
    assert shown["cancellation"]["requested_by"] == "ada"
    assert shown["cancellation"]["reason"] == "wrong prompt"
    assert shown["cancellation"]["anthropic_request_id"].startswith("req_")
    event = AuditEvent.objects.get(action="cancel requested")
    assert (event.actor, event.token, event.reason) == ("ada", "ci", "wrong prompt")


def test_the_same_again_is_the_same_cancellation(token, mirrored, sandbox):
    batch = mirrored()
    call = token("cancel")

    first, second = cancel(call, batch.api_id), cancel(call, batch.api_id)

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json()["batch"]["cancellation"] == first.json()["batch"]["cancellation"]
    assert sandbox.accepted_cancels(batch.api_id) == 1
    assert Cancellation.objects.count() == 1


def test_a_cancel_that_the_api_has_not_confirmed_is_202(token, mirrored, sandbox):
    batch = mirrored()
    sandbox.fail_next("529", times=99)

    answer = cancel(token("cancel"), batch.api_id)

    assert answer.status_code == 202
    shown = answer.json()["batch"]
    assert (shown["processing_status"], shown["cancellation"]["state"]) == (
        "in_progress",
        "requested",
    )
    assert shown["cancellation"]["error"]


@pytest.mark.parametrize("is_known", [True, False])
def test_an_ended_batch_is_409(token, mirrored, sandbox, sync, workspace, is_known):
    batch = mirrored(requests=3)
    sandbox.finish(batch.api_id)
    if is_known:
        sync(workspace)

    answer = cancel(token("cancel"), batch.api_id)

    assert (answer.status_code, kind(answer)) == (409, "nothing-to-cancel")


def test_a_refusal_is_409_with_the_apis_words_and_request_id(token, mirrored, sandbox):
    batch = mirrored()
    sandbox.fail_next("400-spend", times=1, path="/cancel")

    answer = cancel(token("cancel"), batch.api_id)

    assert (answer.status_code, kind(answer)) == (409, "cancel-refused")
    problem = answer.json()
    assert problem["anthropic_request_id"].startswith("req_")
    assert problem["detail"] == Cancellation.objects.get().error


@pytest.mark.parametrize("body", ['{"why": "x"}', '{"reason": null}', '"now"'])
def test_an_invalid_body_cancels_nothing(token, mirrored, sandbox, body):
    batch = mirrored()

    answer = cancel(token("cancel"), batch.api_id, body)

    assert (answer.status_code, kind(answer)) == (400, "invalid-body")
    assert sandbox.accepted_cancels(batch.api_id) == 0
    assert not Cancellation.objects.exists()
