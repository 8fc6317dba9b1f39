from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from batches.models import Cancellation, Observation

FIELDS = (
    "id", "processing_status", "created_at", "expires_at", "ended_at", "cancel_initiated_at",
    "archived_at", "results_url",
)  # fmt: skip


def test_every_field_of_the_batch_is_explained(sign_in, row):
    row("one")

    page = sign_in("viewer").get("/batches/one/").text

    for name in FIELDS:
        assert f"<code>{name}</code>" in page


def test_results_are_said_to_expire_29_days_after_creation(sign_in, row):
    row("one", created_at=datetime(2026, 11, 1, 12, tzinfo=UTC))

    page = sign_in("viewer").get("/batches/one/").text

    assert "30 Nov 2026, 12:00:00 UTC" in page


def test_the_receipt_says_who_when_why_and_what_came_of_it(sign_in, mirrored, sandbox, sync):
    batch = mirrored("msgbatch_1", requests=9)
    browser = sign_in("operator", name="ada")
    browser.post("/batches/msgbatch_1/cancel/", {"reason": "wrong prompt"})
    sandbox.finish("msgbatch_1")
    sync(batch.workspace)

    page = browser.get("/batches/msgbatch_1/").text

    batch.refresh_from_db()
    assert "<dd>ada</dd>" in page.replace("\n", "")
    assert "wrong prompt" in page
    assert f"Ended: {batch.outcome_sentence}" in page
    assert batch.outcome in {"canceled", "canceled_too_late"}


def test_the_address_of_a_press_is_for_those_who_may_see_the_audit(sign_in, mirrored):
    mirrored("msgbatch_1")
    sign_in("operator").post("/batches/msgbatch_1/cancel/", REMOTE_ADDR="192.0.2.9")

    seen = {role: sign_in(role).get("/batches/msgbatch_1/").text for role in ("viewer", "lead")}

    assert "192.0.2.9" not in seen["viewer"]
    assert "192.0.2.9" in seen["lead"]


def test_the_history_shows_what_the_mirror_saw_before(sign_in, row):
    batch = row("one", processing=7777)
    now = timezone.now()
    Observation.objects.create(
        batch=batch, seen_from=now - timedelta(hours=1), seen_until=now,
        processing_status="in_progress", processing=8888, succeeded=0, errored=0, canceled=0,
        expired=0,
    )  # fmt: skip

    page = sign_in("viewer").get("/batches/one/").text

    assert "8,888" in page


def test_raw_json_is_shown_as_text(sign_in, row):
    row("one", raw={"id": "one", "new_field": "</pre><script>alert(1)</script>"})

    page = sign_in("viewer").get("/batches/one/").text

    assert "new_field" in page
    assert "</pre><script>" not in page


def test_a_batch_gone_upstream_is_kept_and_says_so(sign_in, row):
    row("one", deleted_upstream_at=timezone.now())

    page = sign_in("operator").get("/batches/one/").text

    assert "deleted at the API" in page
    assert "<form data-cancel" not in page


def test_canceling_says_for_how_long_and_when_that_is_unusual(sign_in, row):
    row(
        "one",
        processing_status="canceling",
        cancel_initiated_at=timezone.now() - timedelta(minutes=11),
    )

    page = sign_in("viewer").get("/batches/one/").text

    assert "Canceling for" in page
    assert ">11 min</time>" in page
    assert "longer than usual" in page


@pytest.mark.parametrize(
    "api_id", ["theirs", "missing", "x" * 201, "a.b", "%00", "..", "%3Cscript%3E"]
)
def test_what_cannot_be_seen_is_a_page_that_says_so(sign_in, row, other_workspace, api_id):
    row("theirs", workspace=other_workspace)

    response = sign_in("viewer").get(f"/batches/{api_id}/")

    assert response.status_code == 404
    assert "There is nothing at this address" in response.text
    assert "<script" not in response.text


def test_the_confirm_page_of_an_ended_batch_has_nothing_to_press(sign_in, row):
    row("one", processing_status="ended")

    page = sign_in("operator").get("/batches/one/cancel/").text

    assert "There is nothing left to cancel" in page
    assert 'id="confirm"' not in page
    assert not Cancellation.objects.exists()
