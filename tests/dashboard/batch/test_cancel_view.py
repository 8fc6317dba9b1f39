import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from batches.client import ApiRefused
from batches.models import AuditEvent, Cancellation
from tests.dashboard.batch.batch_page import words
from tests.dashboard.conftest import HTMX
from tests.spend_world import spent, used


@pytest.fixture(autouse=True)
def _no_waits(no_waits):
    pass


def alert(answer: str) -> str:
    """The text of the error that an answer says beside the card."""
    return words(answer.partition('role="alert"')[2])


def test_htmx_gets_only_the_card_which_shows_canceling(sign_in, mirrored):
    batch = mirrored("msgbatch_1")

    response = sign_in("operator").post(
        "/batches/msgbatch_1/cancel/", {"reason": "wrong prompt"}, headers=HTMX
    )

    assert 'data-status="canceling"' in response.text
    assert "<html" not in response.text
    assert "wrong prompt" in response.text
    batch.refresh_from_db()
    assert batch.is_canceling


def test_without_htmx_a_cancel_leads_to_the_batch_with_a_message(sign_in, mirrored):
    mirrored("msgbatch_1")
    browser = sign_in("operator")

    response = browser.post("/batches/msgbatch_1/cancel/", follow=True)

    assert response.redirect_chain == [("/batches/msgbatch_1/", 302)]
    assert "The API accepted the cancellation" in response.text


def test_a_cancel_without_scripts_asks_first(sign_in, mirrored, sandbox):
    mirrored("msgbatch_1")
    browser = sign_in("operator")
    form = re.search(r"<form data-cancel.*?</form>", browser.get("/").text, re.DOTALL)[0]

    page = browser.get("/batches/msgbatch_1/cancel/")

    assert 'method="post" action="/batches/msgbatch_1/cancel/"' in form
    # Without scripts the button leads to the page that asks first.
    assert "formmethod=get " in form
    assert "This can’t be undone" in page.text
    assert "Keep it running" in page.text
    assert sandbox.accepted_cancels("msgbatch_1") == 0


def test_the_page_that_asks_names_the_batch_as_people_know_it(sign_in, workspace, november):
    now = timezone.now()
    for number, cost in enumerate((1, 2, 3, 4, 10)):
        spent(workspace, now - timedelta(days=1, hours=number), used(input=cost), label="nightly")
    batch = spent(
        workspace,
        now - timedelta(minutes=55),
        processing_status="in_progress",
        label="nightly",
        owner="ada@example.com",
    )

    page = sign_in("operator").get(f"/batches/{batch.api_id}/cancel/").text

    said = words(page.partition("<main")[2])
    assert "Cancel nightly ?" in said
    subject = "Research · ada@example.com · 10 requests · running 55 min · est. $3.00–$10.00"
    assert f"{subject} {batch.api_id}" in said


def test_the_page_that_asks_names_a_batch_without_a_label_by_its_id(sign_in, row):
    batch = row("msgbatch_01HrC5myZS5nHiNqKEbdCy5p", label="", owner="", processing=1)

    said = words(sign_in("operator").get(f"/batches/{batch.api_id}/cancel/").text)

    assert "Cancel 01HrC5myZS5n… ?" in said
    assert "Research · 1 request · running 5 min" in said


def test_labels_of_either_direction_don_t_reorder_the_question(sign_in, row):
    label = "תקציר שיחות 🚀 " + "x" * 180
    batch = row("msgbatch_1", label=label)
    browser = sign_in("operator")

    page = browser.get(f"/batches/{batch.api_id}/cancel/").text

    assert f"Cancel <bdi>{label}</bdi>?" in page


def test_an_unconfirmed_cancel_stays_on_the_card(sign_in, mirrored, sandbox):
    mirrored("msgbatch_1")
    sandbox.fail_next("429", times=9, path="/v1/messages/batches/msgbatch_1/cancel")
    browser = sign_in("operator")

    card = browser.post("/batches/msgbatch_1/cancel/", headers=HTMX).text
    later = browser.get("/").text

    said = "Cancel requested by operator, not confirmed yet. Retrying. Last error: "
    assert said in words(card)
    assert said in words(later)
    assert "form data-cancel" not in later


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("This organization is suspended.", ": This organization is suspended. (request ID req_7)"),
        (
            f"{ApiRefused.lead} (400 invalid_request_error): No. (request ID req_7)",
            " (400 invalid_request_error): No. (request ID req_7)",
        ),
        ("", ". (request ID req_7)"),
    ],
)
def test_a_refused_cancel_shows_an_alert_and_may_be_tried_again(sign_in, row, error, said):
    batch = row("msgbatch_1")
    refusal = Cancellation.objects.create(
        batch=batch,
        state="refused",
        requested_by_name="ada",
        requested_at=timezone.now(),
        settled_at=timezone.now(),
        error=error,
        request_id="req_7",
        **{f"{name}_at_request": 0
           for name in ("processing", "succeeded", "errored", "canceled", "expired")},
    )  # fmt: skip
    batch.latest_cancellation = refusal
    batch.save()

    page = sign_in("operator").get("/").text

    assert f'role="alert">The API refused to cancel this batch{said}</p>' in page
    assert "form data-cancel" in page


def test_two_presses_are_one_cancellation(sign_in, mirrored, sandbox):
    mirrored("msgbatch_1")

    for name in ("ada", "grace"):
        response = sign_in("operator", name=name).post("/batches/msgbatch_1/cancel/", headers=HTMX)

    assert 'data-status="canceling"' in response.text
    assert Cancellation.objects.count() == 1
    assert sandbox.accepted_cancels("msgbatch_1") == 1


def test_a_batch_that_ended_meanwhile_says_so(sign_in, row):
    row("msgbatch_1", processing_status="ended")

    response = sign_in("operator").post("/batches/msgbatch_1/cancel/", headers=HTMX)

    assert response.status_code == 200
    assert "There was nothing left to cancel. It had already ended" in alert(response.text)


def test_one_deleted_upstream_says_so(sign_in, row):
    row("msgbatch_1", deleted_upstream_at=timezone.now())

    response = sign_in("operator").post("/batches/msgbatch_1/cancel/", headers=HTMX)

    assert "Anthropic no longer has this batch." in alert(response.text)


def test_a_viewer_sees_no_button_and_a_forged_press_does_nothing(sign_in, mirrored, sandbox):
    mirrored("msgbatch_1")
    browser = sign_in("viewer")

    page = browser.get("/").text
    response = browser.post("/batches/msgbatch_1/cancel/")

    assert "<form data-cancel" not in page
    assert "cancel-dialog" not in page
    assert response.status_code == 403
    assert "Your role doesn’t allow this" in response.text
    assert "You need the operator role to cancel batches." in response.text
    assert sandbox.accepted_cancels("msgbatch_1") == 0


def test_another_teams_batch_cannot_be_found_to_cancel(sign_in, row, other_workspace):
    row("theirs", workspace=other_workspace)

    response = sign_in("operator").post("/batches/theirs/cancel/")

    assert response.status_code == 404
    assert not Cancellation.objects.exists()


def test_a_press_without_a_session_leads_to_the_login_page(client, row):
    row("msgbatch_1")

    response = client.post("/batches/msgbatch_1/cancel/", headers=HTMX)

    assert response["HX-Redirect"].startswith("/accounts/login/")
    assert not Cancellation.objects.exists()


def test_a_form_from_another_site_is_refused_with_a_message(person, workspace, row):
    row("msgbatch_1")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person("operator", workspace), backend="dashboard.roles.RoleBackend")

    response = browser.post("/batches/msgbatch_1/cancel/")

    assert response.status_code == 403
    assert "This page expired" in response.text
    assert not Cancellation.objects.exists()


@pytest.mark.parametrize("reason", ["x" * 501, "a\0b"])
def test_an_unusable_reason_cancels_nothing(sign_in, row, reason):
    row("msgbatch_1")

    response = sign_in("operator").post(
        "/batches/msgbatch_1/cancel/", {"reason": reason}, headers=HTMX
    )

    assert "Nothing was canceled. Reason: " in alert(response.text)
    assert not Cancellation.objects.exists()


def test_hostile_text_in_a_reason_is_text(sign_in, mirrored):
    mirrored("msgbatch_1")
    browser = sign_in("lead")

    card = browser.post(
        "/batches/msgbatch_1/cancel/", {"reason": "<script>alert(1)</script>"}, headers=HTMX
    ).text
    audit = browser.get("/audit/").text

    assert "<script>alert" not in card + audit
    assert "&lt;script&gt;alert" in card
    assert "&lt;script&gt;alert" in audit


def test_the_ip_address_of_the_cancel_is_recorded(sign_in, mirrored):
    mirrored("msgbatch_1")

    sign_in("operator").post("/batches/msgbatch_1/cancel/", REMOTE_ADDR="192.0.2.9")

    assert AuditEvent.objects.filter(action="cancel requested", address="192.0.2.9").exists()
