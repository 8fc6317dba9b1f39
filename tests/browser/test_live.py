import pytest
from playwright.sync_api import Page, expect

from batches.models import Batch

# Longer than the pause between two polls of a page with active batches, in ms.
PAST_A_POLL = 3_500


@pytest.fixture(autouse=True)
def _clock(page: Page) -> None:
    """The page's clock still runs, but tests can move it instead of waiting for a poll."""
    page.clock.install()


def card(page: Page, batch: Batch):
    return page.locator(f"#batch-{batch.api_id}")


def polls_of(page: Page) -> list[str]:
    asked: list[str] = []
    page.on("request", lambda request: "/live/" in request.url and asked.append(request.url))
    return asked


def test_a_batch_that_ends_changes_its_card_without_a_reload(board, mirrored, finish):
    batch = mirrored(requests=12)
    page = board()
    page.evaluate("window.untouched = true")
    expect(card(page, batch)).to_have_attribute("data-status", "in_progress")

    finish(batch)
    page.clock.run_for(PAST_A_POLL)

    expect(card(page, batch)).to_have_attribute("data-status", "ended")
    expect(card(page, batch)).to_contain_text("all succeeded")
    assert page.evaluate("window.untouched") is True


def test_new_batches_wait_behind_a_link(board, mirrored):
    old = mirrored()
    page = board()
    expect(card(page, old)).to_be_visible()

    new = mirrored()
    page.clock.run_for(PAST_A_POLL)

    expect(page.locator("#reload")).to_have_text("1 new batch: show")
    expect(page.locator("#cards article")).to_have_count(1)
    page.locator("#reload").click()
    expect(page.locator("#cards article").first).to_have_attribute("data-batch", new.api_id)


def test_an_empty_list_fills_without_a_reload(board, mirrored):
    page = board()
    expect(page.locator(".empty")).to_be_visible()

    first = mirrored()
    # A page without active batches polls every 30 s.
    page.clock.run_for(10 * PAST_A_POLL)

    expect(card(page, first)).to_be_visible()
    expect(page.locator(".empty")).to_be_hidden()


def test_focus_stays_where_it_was_when_the_card_is_swapped(board, mirrored, finish):
    batch = mirrored()
    page = board()
    page.locator(f"#link-{batch.pk}").focus()

    finish(batch)
    page.clock.run_for(PAST_A_POLL)

    expect(card(page, batch)).to_have_attribute("data-status", "ended")
    assert page.evaluate("document.activeElement.id") == f"link-{batch.pk}"


def test_only_changes_of_state_are_announced(board, mirrored, finish):
    batch, bystander = mirrored(), mirrored()
    page = board()

    finish(batch)
    page.clock.run_for(PAST_A_POLL)

    announcements = page.locator("#announcements")
    expect(announcements).to_contain_text("all succeeded")
    expect(announcements).not_to_contain_text(bystander.api_id[9:21])


def test_a_hidden_tab_does_not_poll_and_does_at_once_on_return(board, mirrored):
    mirrored()
    page = board()
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});"
        "Object.defineProperty(document, 'visibilityState',"
        " {configurable: true, get: () => 'hidden'});"
        "document.dispatchEvent(new Event('visibilitychange', {bubbles: true}))"
    )
    asked = polls_of(page)

    page.clock.run_for(2 * PAST_A_POLL)
    assert asked == []

    with page.expect_request("**/live/**", timeout=2000):
        page.evaluate(
            "Object.defineProperty(document, 'hidden', {configurable: true, get: () => false});"
            "Object.defineProperty(document, 'visibilityState',"
            " {configurable: true, get: () => 'visible'});"
            "document.dispatchEvent(new Event('visibilitychange', {bubbles: true}))"
        )


def test_pause_is_offered_only_where_something_is_live(board, mirrored):
    page = board()
    expect(page.locator("#pause")).to_be_visible()

    board("/account/")

    expect(page.locator("#menu-button")).to_be_visible()
    expect(page.locator("#pause")).to_be_hidden()


def test_pause_stops_the_polls_and_says_so(board, mirrored, finish):
    batch = mirrored()
    page = board()
    page.locator("#pause").click()
    expect(page.locator("#pause")).to_have_accessible_name("Resume live updates")
    asked = polls_of(page)

    finish(batch)
    page.clock.run_for(PAST_A_POLL)
    assert asked == []
    expect(card(page, batch)).to_have_attribute("data-status", "in_progress")

    page.locator("#pause").click()
    page.clock.run_for(PAST_A_POLL)
    expect(card(page, batch)).to_have_attribute("data-status", "ended")


def test_an_unchanged_poll_swaps_nothing_and_keeps_the_page_fresh(board, mirrored, workspace, sync):
    batch = mirrored()
    page = board()
    page.evaluate(f"document.getElementById('batch-{batch.api_id}').untouched = true")
    synced_at = page.locator("[data-as-of] time").first.get_attribute("datetime")

    sync(workspace)
    with page.expect_response("**/live/**") as answer:
        page.clock.run_for(PAST_A_POLL)

    assert answer.value.status == 204
    expect(page.locator("[data-as-of] time").first).not_to_have_attribute("datetime", synced_at)
    assert page.evaluate(f"document.getElementById('batch-{batch.api_id}').untouched") is True


def test_a_failing_poll_keeps_the_rows_and_says_what_happened(page, board, mirrored, complaints):
    batch = mirrored()
    board()
    page.route("**/live/**", lambda route: route.fulfill(status=500, body="broken"))
    page.clock.run_for(PAST_A_POLL)

    expect(page.locator("#poll-problem")).to_be_visible()
    expect(card(page, batch)).to_be_visible()

    # Chromium itself reports every 500; that is what this test is about.
    complaints.clear()


def test_a_session_that_ran_out_leads_to_the_login_page(page, board, mirrored, context):
    mirrored()
    board("/?status=active")

    context.clear_cookies()
    page.clock.run_for(PAST_A_POLL)

    expect(page.locator("#id_username")).to_be_visible()
    assert page.url.endswith("/accounts/login/?next=/%3Fstatus%3Dactive")
