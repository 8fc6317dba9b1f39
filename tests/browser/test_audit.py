"""The audit in a real browser: filters with and without scripts, steps, and layout."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import expect

from batches.models import AuditEvent
from tests.browser.accessibility import overflows, violations
from tests.dashboard.audit.audit_page import event

Action = AuditEvent.Action


@pytest.fixture
def audited(person, workspace, other_workspace, mirrored, context, sign_in) -> None:
    """A cancellation with its steps, a label and an export. A lead is signed in."""
    lead = person("lead", workspace, other_workspace, name="leander")
    of = {"batch": mirrored(requests=40), "cancellation_id": 7}
    event(Action.CANCEL_REQUESTED, actor=lead, reason="wrong prompt", address="192.0.2.7", **of)
    answer = {"by": AuditEvent.Actor.ANTHROPIC, "is_step": True, **of}
    event(Action.CANCEL_ACCEPTED, outcome="accepted", request_id=f"req_{'x' * 60}", **answer)
    event(Action.BATCH_ENDED, outcome="canceled: 37 of 40", **answer)
    event(Action.BATCH_LABELED, actor=lead, workspace=workspace, outcome="label: " + "x" * 200)
    event(Action.EXPORTED, actor=lead, workspace=other_workspace, outcome="batches.csv: 3 rows")
    sign_in(context, lead)


@pytest.mark.parametrize("has_scripts", [True, False])
def test_an_action_is_chosen_and_cleared_with_and_without_scripts(
    browser, sign_in, audited, live_server, has_scripts
):
    context = browser.new_context(java_script_enabled=has_scripts)
    sign_in(context, User.objects.get(username="leander"))
    page = context.new_page()
    page.goto(f"{live_server.url}/audit/")
    rows = page.locator(".audit tbody tr")
    expect(rows).to_have_count(3)

    page.get_by_label("Action").select_option(label="Batch ended")
    page.get_by_role("button", name="Apply").click()

    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("canceled: 37 of 40")
    expect(page.get_by_label("Action")).to_have_value("batch ended")
    page.get_by_role("link", name="Clear").click()
    expect(rows).to_have_count(3)
    context.close()


def test_the_steps_expand_by_keyboard(board, audited):
    page = board("/audit/?action=cancel+requested")
    steps = page.get_by_role("list", name="Steps")
    expect(steps).to_be_hidden()

    page.locator(".audit summary").focus()
    page.keyboard.press("Enter")

    expect(steps).to_be_visible()
    expect(steps.get_by_role("listitem")).to_have_count(3)
    expect(page.get_by_text("wrong prompt")).to_be_visible()


def test_axe_finds_nothing_in_expanded_rows(board, audited, page):
    board("/audit/?action=dance")
    for summary in page.locator(".audit summary").all():
        summary.click()
    found = {}

    for width in (320, 1440):
        found[width] = overflows(page, (width,)), violations(page)

    assert found == dict.fromkeys(found, ({}, []))


def test_twenty_five_events_fit_on_a_screen(board, audited, page, workspace):
    for _ in range(30):
        event(Action.BATCH_LABELED, workspace=workspace, outcome="label: none → “nightly”")
    page.set_viewport_size({"width": 1440, "height": 900})

    board("/audit/")

    twenty_fifth = page.locator(".audit tbody tr").nth(24).bounding_box()
    assert twenty_fifth["y"] + twenty_fifth["height"] <= 900
