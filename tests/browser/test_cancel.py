import threading
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from batches import cancel, connect
from batches.models import Batch, Cancellation, Revision
from tests.browser.test_live import PAST_A_POLL, card, polls_of

# Sooner, an Enter was not meant for the dialog, in ms.
TOO_SOON = 400


@pytest.fixture(autouse=True)
def _clock(page: Page) -> None:
    """The page's clock still runs, but tests can move it instead of waiting for a poll."""
    page.clock.install()


@pytest.fixture
def labeled(mirrored) -> Batch:
    batch = mirrored(requests=1200)
    Batch.objects.update(label="nightly eval", owner="ada@example.com")
    return batch


def ask(page: Page, batch: Batch):
    """Press Cancel on the batch's card; the dialog that asks."""
    page.locator(f"#cancel-{batch.api_id}").click()
    dialog = page.locator("#cancel-dialog")
    expect(dialog).to_be_visible()
    return dialog


def test_cancel_with_the_mouse_in_two_presses(board, labeled, finish, sandbox):
    page = board()

    dialog = ask(page, labeled)
    expect(dialog.get_by_role("heading")).to_have_text("Cancel nightly eval?")
    subject = "Research · ada@example.com · 1,200 requests · running "
    expect(dialog).to_contain_text(subject)
    expect(dialog).to_contain_text(labeled.api_id)
    expect(dialog).to_contain_text("can’t be undone")
    expect(dialog).to_have_accessible_name("Cancel nightly eval?")
    heard = page.evaluate("""[...document.getElementById("cancel-dialog")
        .getAttribute("aria-describedby").split(" ")]
        .map((id) => document.getElementById(id).textContent).join(" ")""")
    assert subject in heard
    assert "can’t be undone" in heard
    expect(card(page, labeled)).to_have_attribute("data-asking", "")
    dialog.locator("[name=reason]").fill("wrong prompt")
    page.locator("#cancel-confirm").click()

    expect(card(page, labeled)).to_have_attribute("data-status", "canceling")
    expect(dialog).to_be_hidden()
    expect(card(page, labeled)).to_contain_text("wrong prompt")
    expect(card(page, labeled)).not_to_have_attribute("data-asking", "")
    assert sandbox.accepted_cancels(labeled.api_id) == 1

    finish(labeled)
    page.clock.run_for(PAST_A_POLL)
    expect(card(page, labeled)).to_have_attribute("data-status", "ended")
    expect(card(page, labeled)).to_have_attribute("data-outcome", "canceled")


def test_cancel_with_the_keyboard_alone_but_not_by_one_press_of_enter(board, mirrored):
    batch = mirrored()
    page = board()
    dialog = page.locator("#cancel-dialog")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == f"cancel-{batch.api_id}":
            break
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)

    # Two in a row, as of an impatient finger.
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    # One that is held down repeats.
    page.keyboard.down("Enter")
    page.clock.run_for(TOO_SOON)
    page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(dialog).to_be_visible()
    assert not Cancellation.objects.exists()

    page.keyboard.press("Enter")

    expect(card(page, batch)).to_have_attribute("data-status", "canceling")
    assert page.evaluate("document.activeElement.closest('article')?.dataset.batch") == batch.api_id


def test_leaving_the_dialog_changes_nothing_and_keeps_the_reason(board, mirrored):
    batch = mirrored()
    page = board()
    dialog = ask(page, batch)
    field = page.locator("#cancel-reason")
    field.fill("wrong prompt")
    box = field.bounding_box()

    # A drag that selects the reason and ends on the backdrop.
    page.mouse.move(box["x"] + 60, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(5, box["y"] + 10)
    page.mouse.up()
    expect(dialog).to_be_visible()
    page.mouse.click(5, 5)
    expect(dialog).to_be_hidden()
    ask(page, batch)
    expect(field).to_have_value("wrong prompt")
    page.keyboard.press("Escape")

    expect(dialog).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == f"cancel-{batch.api_id}"
    expect(page.locator("[data-asking]")).to_have_count(0)
    assert not Cancellation.objects.exists()


def test_the_second_half_of_a_double_click_confirms_nothing(board, mirrored):
    batch = mirrored()
    page = board()
    dialog = ask(page, batch)

    page.locator("#cancel-confirm").hover()
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)

    expect(dialog).to_be_visible()
    assert not Cancellation.objects.exists()


def test_a_small_window_shows_first_which_batch_it_is(page, board, labeled):
    Batch.objects.update(label="תקציר שיחות 🚀 " + "x" * 180)
    page.set_viewport_size({"width": 320, "height": 256})
    board()

    dialog = ask(page, labeled)

    expect(dialog.get_by_role("heading")).to_be_in_viewport(ratio=1)
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    for target in ("#cancel-reason", "#cancel-confirm", "#cancel-keep"):
        assert page.locator(target).bounding_box()["height"] >= 44


class SlowCancels(httpx.BaseTransport):
    """Holds every cancel until it is released; another transport answers."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.let_go = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/cancel"):
            self.let_go.wait(timeout=60)
        return self.inner.handle_request(request)


@pytest.fixture
def slow_api(sandbox, monkeypatch):
    slow = SlowCancels(sandbox.transport())
    monkeypatch.setattr(connect, "transport", lambda: slow)
    connect.forget_clients()
    yield slow
    slow.let_go.set()


def test_while_the_api_is_slow_the_card_says_what_is_requested(
    board, labeled, mirrored, finish, slow_api
):
    other = mirrored()
    page = board()
    shown = card(page, labeled)
    height = shown.bounding_box()["height"]
    dialog = ask(page, labeled)

    page.locator("#cancel-confirm").click()

    expect(dialog).to_be_hidden()
    expect(shown.locator("[data-field=state]")).to_have_text("Requesting cancel…")
    expect(shown).to_have_attribute("aria-busy", "true")
    expect(shown.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("#announcements")).to_have_text("Requesting cancel of nightly eval.")
    expect(shown).to_be_focused()
    assert shown.bounding_box()["height"] == height
    # A poll brings the waiting cancellation, and another batch.
    finish(other)
    page.clock.run_for(PAST_A_POLL)
    expect(card(page, other)).to_have_attribute("data-status", "ended")
    expect(shown.locator("[data-field=state]")).to_have_text("Requesting cancel…")
    assert Cancellation.objects.get().is_open

    slow_api.let_go.set()

    expect(shown).to_have_attribute("data-status", "canceling")
    expect(shown).not_to_have_attribute("aria-busy", "true")
    expect(shown.locator("[data-field=state]")).to_contain_text("canceling", ignore_case=True)
    expect(shown).to_be_focused()
    page.clock.run_for(1000)
    expect(page.locator("#announcements")).to_contain_text("canceling")


def test_a_failed_press_says_so_on_the_card_and_keeps_the_reason(
    board, labeled, mirrored, finish, context, complaints
):
    other = mirrored()
    page = board()
    shown = card(page, labeled)
    alert = shown.locator("[role=alert]")
    page.route("**/cancel/", lambda route: route.abort())
    ask(page, labeled).locator("[name=reason]").fill("wrong prompt")
    page.locator("#cancel-confirm").click()
    expect(alert).to_contain_text("Your cancel request may have been saved.")
    expect(alert).to_be_in_viewport(ratio=1)
    expect(shown.locator("[data-field=state]")).to_have_text("in progress", ignore_case=True)
    expect(shown).not_to_have_attribute("data-requesting", "")

    # A poll replaces the card.
    with Revision.writing():
        labeled.touch()
    finish(other)
    page.clock.run_for(PAST_A_POLL)
    expect(card(page, other)).to_have_attribute("data-status", "ended")
    expect(alert).to_have_count(1)
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_have_count(0)

    dialog = ask(page, labeled)
    expect(dialog.locator("[name=reason]")).to_have_value("wrong prompt")
    page.unroute("**/cancel/")
    # The session has ended meanwhile.
    context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.locator("#cancel-confirm").click()
    page.wait_for_url(lambda url: urlsplit(url).path == "/accounts/login/")
    assert not Cancellation.objects.exists()
    complaints[:] = [text for text in complaints if "ERR_FAILED" not in text]


def test_the_second_person_is_told_and_the_card_keeps_saying_it(board, labeled, person, workspace):
    page = board()
    shown = card(page, labeled)
    ask(page, labeled).locator("[name=reason]").fill("too expensive")
    grace = person("operator", workspace, name="grace")
    cancel.cancel_batch(labeled, actor=grace, address="", reason="wrong prompt")

    page.locator("#cancel-confirm").click()

    told = shown.get_by_role("status")
    expect(told).to_contain_text("grace requested this cancel")
    expect(told).to_contain_text("before you; your reason was added as a note.")
    expect(page.locator("#announcements")).to_contain_text("grace requested this cancel")
    with page.expect_response("**/live/**"):
        page.clock.run_for(PAST_A_POLL)
    expect(told).to_contain_text("before you")


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
    dialog = ask(page, batch)
    page.locator("#cancel-reason").fill("half a sent")
    polls = polls_of(page)

    finish(other)
    page.clock.run_for(2 * PAST_A_POLL)

    expect(dialog).to_be_visible()
    expect(page.locator("#cancel-reason")).to_have_value("half a sent")
    assert polls == []
    page.keyboard.press("Escape")
    expect(card(page, other)).to_have_attribute("data-status", "ended")


def test_a_refusal_is_shown_on_the_card_and_stays(board, mirrored, sandbox, finish, monkeypatch):
    batch, other = mirrored(), mirrored()
    monkeypatch.setattr(connect, "transport", lambda: NoCancels(sandbox.transport()))
    connect.forget_clients()
    page = board()
    ask(page, batch)
    page.locator("#cancel-confirm").click()
    alert = card(page, batch).locator("[role=alert]")
    expect(alert).to_contain_text("The API refused to cancel this batch (400")
    expect(alert).to_contain_text("req_7")

    finish(other)
    page.clock.run_for(PAST_A_POLL)
    expect(card(page, other)).to_have_attribute("data-status", "ended")

    expect(alert).to_contain_text("req_7")


def test_a_refused_key_leaves_the_cancel_unconfirmed(board, mirrored, sandbox):
    batch = mirrored()
    sandbox.fail_next("403", times=2)
    page = board()
    ask(page, batch)
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
    ask(page, batch)
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
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Cancel {batch.api_id[9:21]}…?")
    page.locator("main [name=reason]").fill("no scripts here")
    page.locator("main form[method=post] button[type=submit]").click()

    expect(card(page, batch)).to_have_attribute("data-status", "canceling")
    expect(page.locator(".messages")).to_contain_text("accepted")
    context.close()
