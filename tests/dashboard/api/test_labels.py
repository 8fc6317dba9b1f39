"""Labels set by programs, at once or before the batch is mirrored."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batches import labels
from batches.models import AuditEvent, Batch, PendingLabels
from batches.worker.chores import delete_old
from tests.dashboard.api.conftest import ROOT, give_token, kind, program

NEW = "msgbatch_01NotHereYet"


def patch(client, api_id: str, body):
    return client.patch(f"{ROOT}/batches/{api_id}", body, "application/json")


def test_what_is_given_is_set_and_the_rest_stays(token, row):
    row("msgbatch_1", label="old", owner="bob", note="why")

    answer = patch(token("label"), "msgbatch_1", {"label": "  nightly   7 ", "note": ""})

    assert answer.status_code == 200
    batch = answer.json()["batch"]
    assert (batch["label"], batch["owner"], batch["note"]) == ("nightly 7", "bob", "")
    stored = Batch.objects.get()
    assert (stored.label, stored.owner, stored.note) == ("nightly 7", "bob", "")
    event = AuditEvent.objects.get(action="batch labeled")
    assert (event.actor, event.token) == ("ada", "ci")
    assert event.outcome == "label: “old” → “nightly 7”; note: “why” → none"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "Give a label, an owner or a note."),
        ({"workspace": "research"}, "Give a label, an owner or a note."),
        ({"lable": "x"}, "unknown field `lable`"),
        ({"label": None}, "got `null`"),
        ({"label": 7}, "got `int`"),
        ({"label": "x" * 201}, "<= 200"),
        ({"note": "x" * 2001}, "<= 2000"),
        ({"label": "a\x00b"}, "label:"),
        ([], "got `array`"),
        ("{", "The body is not JSON."),
        ("", "The body is not JSON."),
        (b"\xff", "The body is not JSON."),
    ],
)
def test_an_invalid_body_changes_nothing_and_is_explained(token, row, body, named):
    row("msgbatch_1", label="old")

    answer = patch(token("label"), "msgbatch_1", body)

    assert (answer.status_code, kind(answer)) == (400, "invalid-body")
    assert named in answer.json()["detail"]
    assert answer.json()["detail"].endswith("Nothing was changed.")
    assert Batch.objects.get().label == "old"


def test_a_body_that_is_too_large_is_refused(token, row):
    row("msgbatch_1")

    answer = patch(token("label"), "msgbatch_1", {"note": "x" * 300_000})

    assert (answer.status_code, kind(answer)) == (413, "body-too-large")


def test_a_label_given_right_after_creating_is_on_the_batch_once_it_is_mirrored(
    token, sandbox, sync, workspace
):
    call = token("label", "read")
    api_id = sandbox.add_batch()

    answer = patch(call, api_id, {"label": "nightly", "owner": "ada"})

    assert answer.status_code == 202
    waiting = answer.json()
    assert (waiting["label"], waiting["owner"], waiting["note"]) == ("nightly", "ada", None)
    assert not Batch.objects.exists()
    assert sync(workspace)
    batch = call.get(f"{ROOT}/batches/{api_id}").json()["batch"]
    assert (batch["label"], batch["owner"], batch["note"]) == ("nightly", "ada", "")
    assert not PendingLabels.objects.exists()
    requested, applied = AuditEvent.objects.filter(action="batch labeled").order_by("pk")
    assert (requested.actor, requested.token, requested.batch_api_id) == ("ada", "ci", api_id)
    assert "kept until the batch is seen" in requested.outcome
    assert (applied.actor, applied.token) == ("Batchboard", None)
    assert "label: none → “nightly”" in applied.outcome
    assert "as ada requested" in applied.outcome


def test_the_last_write_wins_and_what_it_leaves_out_stays(token, sandbox, sync, workspace):
    call = token("label")
    api_id = sandbox.add_batch()
    patch(call, api_id, {"label": "first", "note": "why"})

    patch(call, api_id, {"label": "second"})

    assert sync(workspace)
    batch = Batch.objects.get()
    assert (batch.label, batch.owner, batch.note) == ("second", "", "why")


def test_a_page_of_new_batches_with_labels_costs_the_same_number_of_queries(
    token, sandbox, sync, workspace
):
    call = token("label")
    assert sync(workspace)
    counted = []
    for batches in (1, 8):
        for _ in range(batches):
            patch(call, sandbox.add_batch(), {"label": "nightly"})
        with CaptureQueriesContext(connection) as queries:
            assert sync(workspace)
        counted.append(len(queries))

    assert counted[0] == counted[1]
    assert Batch.objects.filter(label="nightly").count() == 9


def test_labels_are_forgotten_after_48_hours(token, sandbox, sync, workspace):
    api_id, call = sandbox.add_batch(), token("label")
    with time_machine.travel(timezone.now() - timedelta(hours=48, minutes=1)):
        patch(call, api_id, {"label": "late", "note": "old"})

    patch(call, api_id, {"owner": "bob"})

    assert sync(workspace)
    batch = Batch.objects.get()
    assert (batch.label, batch.owner, batch.note) == ("", "bob", "")


def test_a_worker_deletes_labels_whose_batch_never_came(token, workspace):
    with time_machine.travel(timezone.now() - timedelta(hours=49)):
        patch(token("label"), NEW, {"label": "late"})

    delete_old()

    assert not PendingLabels.objects.exists()


def test_a_token_for_several_workspaces_has_to_name_one(
    person, workspace, other_workspace, sandbox
):
    both = [workspace, other_workspace]
    call = program(give_token(person("operator", *both), "label", workspaces=both))

    unnamed = patch(call, NEW, {"label": "x"})
    foreign = patch(call, NEW, {"label": "x", "workspace": "secret"})
    named = patch(call, NEW, {"label": "x", "workspace": "production"})

    in_address = patch(call, f"{NEW}@production", {"label": "x"})
    differing = patch(call, f"{NEW}@production", {"label": "x", "workspace": "research"})

    assert [kind(each) for each in (unnamed, foreign, differing)] == ["invalid-body"] * 3
    assert (in_address.status_code, in_address.json()["workspace"]) == (202, "production")
    assert "production, research" in unnamed.json()["detail"]
    assert (named.status_code, named.json()["workspace"]) == (202, "production")
    assert PendingLabels.objects.get().workspace == other_workspace


def test_what_is_no_batch_id_is_404(token):
    answer = patch(token("label"), "nightly", {"label": "x"})

    assert (answer.status_code, kind(answer)) == (404, "not-found")


def test_not_more_than_some_batches_can_wait(token, monkeypatch):
    monkeypatch.setattr(labels, "MOST_PENDING", 2)
    call = token("label")
    for number in (1, 2):
        assert patch(call, f"msgbatch_{number}", {"label": "x"}).status_code == 202

    third, again = (patch(call, f"msgbatch_{n}", {"label": "y"}) for n in (3, 1))

    assert (third.status_code, kind(third)) == (409, "too-many-pending")
    assert again.status_code == 202


def test_a_batch_that_a_round_mirrors_meanwhile_is_labeled_at_once(person, row, workspace):
    batch = row("msgbatch_1")
    ada = person("operator", workspace, name="ada")

    # As if the row had come between the look for it and the lock.
    labeled = labels.label_when_seen(
        workspace, "msgbatch_1", {"label": "x"}, actor=ada, address="192.0.2.1"
    )

    assert labeled == batch
    assert Batch.objects.get().label == "x"
    assert not PendingLabels.objects.exists()
