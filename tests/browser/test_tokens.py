"""Making, copying and revoking an API token by keyboard."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import violations


def is_sound(page: Page) -> bool:
    """Nothing breaks WCAG, and nothing is wider than the page."""
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return (violations(page), width) == ([], 0)


@pytest.mark.parametrize("width", [320, 1280])
def test_a_token_is_made_copied_and_revoked(board, context, width):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = board("/account/")
    page.set_viewport_size({"width": width, "height": 800})

    page.locator("#tokens").press("Enter")
    page.locator("#id_name").fill("nightly <eval> שלום")
    page.get_by_label("Research").check()
    assert is_sound(page)
    page.locator("#make-token").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("nightly <eval>")
    assert is_sound(page)
    page.locator("#copy-token").press("Enter")
    expect(page.locator("#announcements")).to_have_text("Copied the token.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#token").input_value()
    page.locator("#back").press("Enter")
    row = page.get_by_role("row").filter(has_text=copied[-4:])
    row.get_by_role("link").press("Enter")
    assert is_sound(page)
    page.locator("#revoke").press("Enter")
    expect(page.get_by_role("row").filter(has_text=copied[-4:])).to_contain_text("revoked")
    # Without the message, whose list of alerts is no proper list.
    page.reload()
    assert is_sound(page)
