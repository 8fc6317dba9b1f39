"""Workspaces and their keys in a real browser."""

import pytest
from playwright.sync_api import Browser, Page, expect

from batches.models import Workspace
from tests.browser.accessibility import overflows, violations
from tests.dashboard.workspaces.page import (
    ADD,
    PRODUCTION,
    PRODUCTION_KEY,
    RESEARCH_KEY,
    WRONG_KEY,
    at_anthropic,
    edit_url,
    like_anthropic,
)


@pytest.fixture
def sandbox(monkeypatch):
    yield from like_anthropic(monkeypatch)


@pytest.fixture
def workspace(workspace):
    return at_anthropic(workspace)


@pytest.fixture
def admin(person, workspace):
    return person("admin", workspace, name="grace")


@pytest.fixture
def as_admin(board, context, sign_in, admin):
    """A function that opens a page as an admin."""
    sign_in(context, admin)
    return board


def test_a_wrong_key_is_questioned_and_the_right_one_is_stored(as_admin, page: Page):
    as_admin("/workspaces/").locator("#add").click()
    page.get_by_label("API key").fill(WRONG_KEY)
    page.get_by_label("Name", exact=True).fill("Evals")
    page.locator("#save").click()

    expect(page.locator("#question")).to_contain_text("Anthropic refused the key (401")
    expect(page.get_by_label("API key")).to_have_value("")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Evals")
    assert not Workspace.objects.filter(name="Evals").exists()

    page.get_by_label("API key").fill(PRODUCTION_KEY)
    # Enter saves; it never presses "Save anyway".
    page.keyboard.press("Enter")

    expect(page.locator(".messages")).to_contain_text(f"workspace {PRODUCTION}.")
    expect(page.get_by_role("row", name="Evals")).to_contain_text("…BBbb")
    assert Workspace.objects.get(name="Evals").api_key == PRODUCTION_KEY


def test_a_key_is_rotated_by_keyboard_alone_and_without_scripts(
    browser: Browser,
    live_server,
    sign_in,
    admin,
    workspace,
    mirrored,
):
    mirrored()
    with browser.new_context(java_script_enabled=False) as context:
        sign_in(context, admin)
        page = context.new_page()
        page.goto(live_server.url + edit_url(workspace))

        page.get_by_label("API key").focus()
        page.keyboard.type(PRODUCTION_KEY)
        page.keyboard.press("Enter")
        expect(page.locator("#question")).to_contain_text("for another Anthropic workspace")
        # Starting at the link above it, which a person also reaches with Tab.
        page.locator("#back").focus()
        page.keyboard.press("Tab")
        expect(page.locator("#confirm")).to_be_focused()
        page.keyboard.press("Enter")

        expect(page.locator(".messages")).to_contain_text("Research is saved.")
    workspace.refresh_from_db()
    assert workspace.api_key == PRODUCTION_KEY


def test_no_browser_takes_the_key_for_a_password_of_this_site(as_admin, page: Page):
    as_admin(ADD)

    fields = page.locator("main :is(input, textarea):not([type=hidden])")
    named = fields.evaluate_all("all => all.map(each => [each.name, each.autocomplete])")

    assert named[0] == ["new_key", "new-password"]
    typed = {name: fill for name, fill in named[1:] if name in {"base_url", "workspace_name"}}
    assert typed == {"base_url": "off", "workspace_name": "off"}
    assert not {"username", "name", "email", "password"} & {name for name, _ in named}


def test_axe_finds_nothing_and_nothing_scrolls_sideways(as_admin, page: Page, workspace):
    Workspace.objects.filter(pk=workspace.pk).update(
        hold="foreign", api_workspace_id="wrkspc_" + "x" * 60, error="y" * 300
    )
    found = {}

    def look(name: str) -> None:
        found[name] = overflows(page, (320,)), violations(page)

    for path in ("/workspaces/", ADD, edit_url(workspace), f"{edit_url(workspace)}delete/"):
        as_admin(path)
        look(path)
    as_admin(edit_url(workspace))
    page.locator("main summary").click()
    page.get_by_label("API key").fill(RESEARCH_KEY)
    page.locator("#save").click()
    expect(page.locator("#question")).to_be_visible()
    look("question")
    page.get_by_label("Address").fill("ftp://x")
    page.locator("#save").click()
    expect(page.locator("#id_base_url_error")).to_be_visible()
    look("error")

    assert found == dict.fromkeys(found, ({}, []))
