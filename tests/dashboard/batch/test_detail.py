from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from batches.models import Cancellation, Observation
from tests.dashboard.batch.batch_page import NOON, add_cancellation, fact, page_of, read, words
from tests.spend_world import spent, used

FIELDS = (
    "id", "processing_status", "created_at", "expires_at", "ended_at", "cancel_initiated_at",
    "archived_at", "results_url",
)  # fmt: skip


def test_every_field_of_the_batch_is_explained(sign_in, row):
    row("one")

    page = sign_in("viewer").get("/batches/one/").text

    for name in FIELDS:
        assert f"<code>{name}</code>" in page


def test_the_timeline_says_when_results_expire(sign_in, row):
    row("one", created_at=datetime(2026, 11, 1, 12, tzinfo=UTC))

    page = sign_in("viewer").get("/batches/one/").text

    assert "30 Nov 2026, 12:00:00 UTC" in page


def test_the_receipt_says_who_when_why_and_the_result(sign_in, mirrored, sandbox, sync):
    batch = mirrored("msgbatch_1", requests=9)
    browser = sign_in("operator", name="ada")
    browser.post("/batches/msgbatch_1/cancel/", {"reason": "wrong prompt"})
    sandbox.finish("msgbatch_1")
    sync(batch.workspace)

    page = browser.get("/batches/msgbatch_1/").text

    batch.refresh_from_db()
    assert fact(page, "Requested by") == "ada"
    assert "wrong prompt" in page
    assert f"Ended: {batch.outcome_sentence}" in page
    assert batch.outcome in {"canceled", "canceled_too_late"}


def test_only_people_who_may_see_the_audit_see_an_ip_address(sign_in, mirrored):
    mirrored("msgbatch_1")
    sign_in("operator").post("/batches/msgbatch_1/cancel/", REMOTE_ADDR="192.0.2.9")

    seen = {role: sign_in(role).get("/batches/msgbatch_1/").text for role in ("viewer", "lead")}

    assert "192.0.2.9" not in seen["viewer"]
    assert "192.0.2.9" in seen["lead"]


def test_the_history_shows_earlier_counts(sign_in, row):
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


def test_a_batch_deleted_upstream_is_kept_and_says_so(sign_in, row):
    row("one", deleted_upstream_at=timezone.now())

    page = sign_in("operator").get("/batches/one/").text

    assert "deleted upstream" in page
    assert "<form data-cancel" not in page


def test_canceling_shows_how_long_and_whether_that_is_unusual(sign_in, row):
    row(
        "one",
        processing_status="canceling",
        cancel_initiated_at=timezone.now() - timedelta(minutes=11),
    )

    page = sign_in("viewer").get("/batches/one/").text

    assert "Canceling for 11 min longer than usual" in words(page)


@pytest.mark.parametrize(
    "api_id", ["theirs", "missing", "x" * 201, "a.b", "%00", "..", "%3Cscript%3E"]
)
def test_an_invisible_batch_answers_with_a_page_that_says_so(sign_in, row, other_workspace, api_id):
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


def test_the_receipt_accounts_for_every_moment_and_request(sign_in, workspace, november):
    # Four succeeded for $2 in all and six were canceled: six halves of a dollar saved.
    batch = spent(workspace, NOON, used(input=2), is_canceled=True)
    add_cancellation(
        batch, requested_at=NOON + timedelta(minutes=1), accepted_at=NOON + timedelta(seconds=63)
    )

    page = page_of(sign_in("viewer"), batch)

    facts = {
        name: fact(page, name)
        for name in ("Requested by", "Reason", "Accepted", "Ended", "Billed", "Not billed")
    }
    assert facts == {
        "Requested by": "ada",
        "Reason": "wrong prompt",
        "Accepted": "20 Nov 2026, 12:01:03 UTC 3 s after the request",
        "Ended": "20 Nov 2026, 12:05:00 UTC 3 min after that",
        "Billed": "4 requests, $2.00",
        "Not billed": "6 canceled",
    }
    assert fact(page, "Saved") == "about $3.00: the mean cost of the 4 that succeeded × 6"


@pytest.mark.parametrize(
    ("columns", "usage", "billed", "saved"),
    [
        (
            {"results_state": "pending"},
            [],
            "4 requests, cost pending",
            "not known yet: the results have not been read",
        ),
        ({"results_state": "lost"}, [], "4 requests, cost unknown", "unknown: cost unknown"),
        (
            {"results_state": "unreadable"},
            [],
            "4 requests, results unreadable",
            "unknown: results unreadable",
        ),
        ({}, [used(model="new")], "4 requests, no price for new", "unknown: no price for new"),
        (
            {"succeeded": 0, "canceled": 10},
            [],
            "0 requests",
            "unknown: none succeeded, so there is no mean cost",
        ),
        (
            {"succeeded": 10, "canceled": 0},
            [used(input=2)],
            "10 requests, $2.00",
            "nothing: no request was left to cancel",
        ),
    ],
)
def test_a_receipt_never_says_zero_for_an_unknown_amount(
    sign_in, workspace, november, columns, usage, billed, saved
):
    batch = spent(workspace, NOON, *usage, is_canceled=True, **columns)
    add_cancellation(batch, accepted_at=NOON)

    page = page_of(sign_in("viewer"), batch)

    assert fact(page, "Billed") == billed
    assert fact(page, "Saved") == saved


def test_a_cancel_from_outside_batchboard_has_a_receipt_too(sign_in, workspace, november):
    batch = spent(workspace, NOON, used(input=2), is_canceled=True, cancel_initiated_at=NOON)

    page = page_of(sign_in("viewer"), batch)

    assert fact(page, "Requested by").startswith("Someone outside Batchboard, by API or Console.")
    assert fact(page, "Saved").startswith("about $3.00")


def test_read_again_leads_back_to_the_batch_with_a_sentence(sign_in, workspace):
    batch = spent(workspace, NOON, results_state="unreadable")
    read(batch, attempts=5, error="The file is short.")
    browser = sign_in("operator")

    first = browser.post(f"/batches/{batch.api_id}/reread/", follow=True)
    second = browser.post(f"/batches/{batch.api_id}/reread/", follow=True)

    assert first.redirect_chain == [(f"/batches/{batch.api_id}/", 302)]
    assert "The results will be read again within about a minute." in first.text
    assert "Cost pending." in first.text
    assert "Nothing was changed. The results are about to be read anyway." in second.text


def test_read_again_is_not_for_viewers(sign_in, workspace):
    batch = spent(workspace, NOON, results_state="unreadable")

    answer = sign_in("viewer").post(f"/batches/{batch.api_id}/reread/")

    batch.refresh_from_db()
    assert answer.status_code == 403
    assert batch.results_state == "unreadable"


def test_lost_results_offer_no_file(sign_in, row):
    row("one", processing_status="ended", results_state="lost")

    page = sign_in("viewer").get("/batches/one/").text

    assert "Cost unknown." in page
    assert "The API no longer has the results file." in page
    assert "/batches/one/results/" not in page
