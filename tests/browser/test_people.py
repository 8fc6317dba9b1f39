"""Adding a person and signing in with the link, as the admin and the person see it."""

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect

from tests.browser.accessibility import overflows, violations

NEW = "a much longer battery"


@pytest.fixture
def grace(person, workspace, live_server) -> User:
    return person("admin", workspace, name="grace")


@pytest.fixture
def admin(page: Page, context, grace, sign_in, complaints, live_server):
    """A function that opens a page as an admin."""
    sign_in(context, grace)
    page.set_default_timeout(10_000)

    def open_page(path: str) -> Page:
        page.goto(live_server.url + path)
        return page

    return open_page


@pytest.fixture
def other_browser(browser: Browser, live_server):
    """A page in another browser, in which no one is signed in."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_a_person_is_added_by_keyboard_and_signs_in_with_the_copied_link(
    admin, context, other_browser, live_server, workspace
):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = admin("/people/")

    page.locator("#add-person").focus()
    press(page, "Enter")
    page.locator("#id_username").focus()
    page.keyboard.type("ada")
    # To the e-mail, to the roles, where the arrow selects the next one, and to the workspace.
    press(page, "Tab", "Tab", "ArrowDown", "Tab", "Space", "Enter")
    expect(page.locator("h1")).to_have_text("Send this link to ada")
    page.locator("#copy-link").focus()
    press(page, "Enter")
    expect(page.locator("#announcements")).to_have_text("Copied the link.")
    link = page.evaluate("navigator.clipboard.readText()")

    other_browser.goto(link)
    other_browser.locator("#id_new_password1").fill(NEW)
    other_browser.locator("#id_new_password2").fill(NEW)
    press(other_browser, "Enter")
    expect(other_browser.locator("[role=status]")).to_have_text(
        "Your password is set. Sign in with it."
    )
    other_browser.locator("#id_username").fill("ada")
    other_browser.locator("#id_password").fill(NEW)
    press(other_browser, "Enter")

    expect(other_browser.locator(".who-name")).to_have_text("ada")
    ada = User.objects.get(username="ada")
    assert list(ada.groups.values_list("name", flat=True)) == ["operator"]
    assert list(ada.workspaces.all()) == [workspace]


def test_everything_works_without_javascript(browser, sign_in, grace, live_server, workspace):
    context = browser.new_context(java_script_enabled=False)
    sign_in(context, grace)
    page = context.new_page()
    page.goto(f"{live_server.url}/people/add/")

    page.locator("#id_username").fill("ada")
    page.get_by_label("Research").check()
    page.locator("#save").click()
    link = page.locator("#password-link").input_value()
    page.locator("#to-person").click()
    page.get_by_label("lead").check()
    page.locator("#save").click()

    assert link.startswith(f"{live_server.url}/account/link/")
    expect(page.locator("#copy-link")).to_have_count(0)
    expect(page.locator("tr", has_text="ada").locator("td").first).to_have_text("lead")
    page.goto(f"{live_server.url}/account/")
    expect(page.locator("#shortcuts-switch")).to_be_hidden()
    context.close()


def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    admin, other_browser, person, workspace, other_workspace, tmp_path, complaints
):
    long = person("viewer", workspace, name="averyveryverylongname" * 6)
    shared = person("lead", workspace, other_workspace, name="bob")
    page = admin("/people/")
    found = {}

    def look(name: str, page: Page) -> None:
        found[name] = overflows(page, (320,)), violations(page)

    for path in ("/people/", "/people/add/", "/account/", "/account/password/"):
        look(path, admin(path))
    look("edit", admin(f"/people/{long.pk}/"))
    look("membership", admin(f"/people/{shared.pk}/"))
    admin(f"/people/{long.pk}/").locator("#new-link").click()
    expect(page.locator("#password-link")).to_be_focused()
    look("link", page)
    other_browser.goto(page.locator("#password-link").input_value())
    look("set a password", other_browser)

    assert found == dict.fromkeys(found, ({}, []))


def test_the_switch_of_shortcuts_is_one_for_the_account_and_the_dialog(admin):
    page = admin("/account/")

    page.locator("#shortcuts-switch").uncheck()
    admin("/")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts-dialog")).to_be_hidden()
    page.locator("#menu-button").click()
    page.locator("#help").click()
    page.locator("#shortcuts-on").check()
    admin("/account/")

    expect(page.locator("#shortcuts-switch")).to_be_checked()


def test_the_header_fits_every_page_of_an_admin_with_a_long_name(
    page, context, person, workspace, sign_in, live_server
):
    sign_in(context, person("admin", workspace, name="averyveryverylongname" * 6))
    page.goto(f"{live_server.url}/account/")
    heights = {}

    for width in (320, 360, 639, 640, 768, 831, 832, 1024):
        page.set_viewport_size({"width": width, "height": 700})
        heights[width] = page.locator(".top").bounding_box()["height"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width

    # One line.
    assert max(heights.values()) <= 56
