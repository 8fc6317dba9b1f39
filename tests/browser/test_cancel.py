import httpx
import pytest
from playwright.sync_api import expect

from batches import connect
from batches.models import Cancellation
from tests.browser.test_live import card


def test_cancel_with_the_mouse_in_two_presses(board, mirrored, finish, sandbox):
    batch = mirrored(requests=9)
    page = board()

    page.locator(f"#cancel-{batch.api_id}").click()
    dialog = page.locator("#cancel-dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("can’t be undone")
    dialog.locator("[name=reason]").fill("wrong prompt")
    page.locator("#cancel-confirm").click()

    expect(card(page, batch)).to_have_attribute("data-status", "canceling")
    expect(dialog).to_be_hidden()
    expect(card(page, batch)).to_contain_text("wrong prompt")
    assert sandbox.accepted_cancels(batch.api_id) == 1

    finish(batch)
    expect(card(page, batch)).to_have_attribute("data-status", "ended")
    expect(card(page, batch)).to_contain_text("9 canceled")


def test_cancel_with_the_keyboard_alone(board, mirrored):
    batch = mirrored()
    page = board()

    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == f"cancel-{batch.api_id}":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#cancel-dialog")).to_be_visible()
    page.keyboard.press("Enter")

    expect(card(page, batch)).to_have_attribute("data-status", "canceling")
    assert page.evaluate("document.activeElement.closest('article')?.dataset.batch") == batch.api_id


def test_escape_leaves_everything_as_it_was(board, mirrored):
    batch = mirrored()
    page = board()
    page.locator(f"#cancel-{batch.api_id}").click()

    page.keyboard.press("Escape")

    expect(page.locator("#cancel-dialog")).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == f"cancel-{batch.api_id}"
    assert not Cancellation.objects.exists()


class NoCancels(httpx.BaseTransport):
    """Refuses every cancel as the API does; the rest is answered by another transport."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/cancel"):
            return self.inner.handle_request(request)
        error = {"type": "invalid_request_error", "message": "No."}
        return httpx.Response(
            400, json={"type": "error", "error": error}, headers={"request-id": "req_7"}
        )


def test_polls_do_not_close_the_dialog(board, mirrored, finish):
    batch, other = mirrored(), mirrored()
    page = board()
    page.locator(f"#cancel-{batch.api_id}").click()
    page.locator("#cancel-reason").fill("half a sent")

    finish(other)
    page.wait_for_timeout(5000)

    expect(page.locator("#cancel-dialog")).to_be_visible()
    expect(page.locator("#cancel-reason")).to_have_value("half a sent")
    page.keyboard.press("Escape")
    expect(card(page, other)).to_have_attribute("data-status", "ended")


def test_a_refusal_is_shown_on_the_card_and_stays(board, mirrored, sandbox, finish, monkeypatch):
    batch, other = mirrored(), mirrored()
    monkeypatch.setattr(connect, "transport", lambda: NoCancels(sandbox.transport()))
    connect.forget_clients()
    page = board()
    page.locator(f"#cancel-{batch.api_id}").click()
    page.locator("#cancel-confirm").click()
    alert = card(page, batch).locator("[role=alert]")
    expect(alert).to_contain_text("The API refused to cancel this batch (400")
    expect(alert).to_contain_text("req_7")

    finish(other)
    expect(card(page, other)).to_have_attribute("data-status", "ended")

    expect(alert).to_contain_text("req_7")


def test_a_refused_key_leaves_the_cancel_unconfirmed(board, mirrored, sandbox):
    batch = mirrored()
    sandbox.fail_next("403", times=2)
    page = board()
    page.locator(f"#cancel-{batch.api_id}").click()
    page.locator("#cancel-confirm").click()

    expect(card(page, batch)).to_contain_text(
        "Cancel requested by operator, not confirmed yet. Retrying. Last error: "
    )
    assert Cancellation.objects.get().is_open
    expect(card(page, batch)).to_have_attribute("data-status", "in_progress")


def test_an_unanswered_cancel_says_not_confirmed_and_not_canceled(board, mirrored, sandbox):
    batch = mirrored()
    sandbox.fail_next("500", times=99)
    page = board()
    page.locator(f"#cancel-{batch.api_id}").click()
    page.locator("#cancel-confirm").click()

    expect(card(page, batch)).to_contain_text("not confirmed yet")
    expect(card(page, batch)).to_have_attribute("data-status", "in_progress")
    expect(page.locator(f"#cancel-{batch.api_id}")).to_have_count(0)


def test_a_viewer_sees_no_button(board, mirrored, context, sign_in, person, workspace):
    batch = mirrored()
    sign_in(context, person("viewer", workspace))

    page = board()

    expect(card(page, batch)).to_be_visible()
    expect(page.locator(".who-name")).to_have_text("viewer")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("form[data-cancel]")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 1280])
def test_cancel_works_without_javascript(browser, mirrored, operator, sign_in, live_server, width):
    batch = mirrored()
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": width, "height": 800}
    )
    sign_in(context, operator)
    page = context.new_page()
    page.goto(live_server.url)

    page.get_by_role("button", name=f"Cancel {batch.api_id[9:21]}").click()
    assert page.url.startswith(f"{live_server.url}/batches/{batch.api_id}/cancel/")
    page.locator("main [name=reason]").fill("no scripts here")
    page.locator("main form[method=post] button[type=submit]").click()

    expect(card(page, batch)).to_have_attribute("data-status", "canceling")
    expect(page.locator(".messages")).to_contain_text("accepted")
    context.close()
