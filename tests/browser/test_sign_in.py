"""Signing in and out, where only a browser shows what happens."""

import pytest
from playwright.sync_api import Page, expect

from batches.models import AuditEvent
from tests.browser.accessibility import overflows, violations
from tests.working import read_now

PASSWORD = "correct horse 9"


@pytest.fixture
def login(page: Page, live_server) -> str:
    page.set_default_timeout(10_000)
    return f"{live_server.url}/accounts/login/"


def fill(page: Page, password: str = PASSWORD) -> None:
    """Sign in by keyboard alone: the username field already has focus."""
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("operator")
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("javascript", [True, False])
def test_signing_in_works_by_keyboard_alone(browser, operator, login, live_server, javascript):
    context = browser.new_context(java_script_enabled=javascript)
    page = context.new_page()
    page.goto(f"{login}?next=/%3Fstatus%3Dended")

    fill(page, "guess")
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{live_server.url}/?status=ended")
    context.close()


def test_back_after_signing_out_shows_no_batch(page, board, mirrored, login):
    batch = mirrored(status="ended", requests=10, succeeded=7, errored=3)
    read_now(batch)
    page = board()
    page.locator(f"#batch-{batch.api_id} a").first.click()
    expect(page.locator("h1")).to_be_visible()

    page.locator("#menu-button").click()
    page.locator("#sign-out").click()
    expect(page).to_have_url(login)
    for _ in range(2):
        page.go_back()

        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert batch.api_id not in page.locator("body").inner_text()


def test_a_setting_of_the_browser_survives_signing_out(page, board, login):
    page = board()
    page.evaluate("localStorage.setItem('batchboard.test', 'kept')")

    page.locator("#menu-button").click()
    page.locator("#sign-out").click()
    expect(page).to_have_url(login)

    assert page.evaluate("localStorage.getItem('batchboard.test')") == "kept"


def test_the_form_of_a_second_tab_redirects_to_the_list(
    page, context, operator, login, live_server
):
    second = context.new_page()
    for tab in (page, second):
        tab.goto(login)

    fill(page)
    expect(page).to_have_url(f"{live_server.url}/")
    second.bring_to_front()
    second.get_by_label("Username").focus()
    fill(second)

    expect(second).to_have_url(f"{live_server.url}/")
    assert list(AuditEvent.objects.values_list("action", flat=True)) == ["signed in"]


@pytest.fixture
def states(page, login, operator, client):
    """Functions that show each state of the pages before signing in."""

    def first_start() -> None:
        operator.delete()
        page.goto(login)

    def wrong() -> None:
        page.goto(login)
        fill(page, "guess")
        expect(page.get_by_role("alert")).to_be_visible()

    def locked() -> None:
        for _ in range(4):
            client.post("/accounts/login/", {"username": "operator", "password": "guess"})
        wrong()

    return {
        "sign-in": lambda: page.goto(login),
        "wrong": wrong,
        "locked": locked,
        "nowhere": lambda: page.goto(f"{login}nowhere/"),
        "first start": first_start,
    }


def test_the_pages_before_signing_in_are_clean_and_fit_a_phone(page, states):
    found = {}

    for name, show in states.items():
        show()
        found[name] = overflows(page, (1440, 768, 360, 320)), violations(page)

    assert found == dict.fromkeys(states, ({}, []))


def test_chromium_knows_every_feature_that_the_pages_deny(page, board):
    # Chromium reports the others on the console, which the fixture checks.
    assert board().title() == "Batches · Batchboard"
