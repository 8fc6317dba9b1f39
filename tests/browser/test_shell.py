"""What is around every page: the header, the menu, the theme, notes and shortcuts."""

import re

import pytest
from playwright.sync_api import expect

from dashboard.models import Preferences
from tests.browser.accessibility import violations
from tests.working import read_now

BOX = "element => element.getBoundingClientRect().toJSON()"
PHONE = {"width": 360, "height": 740}
MOVING = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(
    "@keyframes shake { to { translate: 9px } }" +
      "@layer components { main { animation: shake 9s infinite } }",
  );
  document.adoptedStyleSheets = [sheet];
}"""


@pytest.fixture
def lead_board(board, context, sign_in, person, workspace):
    """The pages as a lead sees them."""
    sign_in(context, person("lead", workspace))
    return board


def style(page, selector: str, name: str) -> str:
    script = "(element, name) => getComputedStyle(element)[name]"
    return page.locator(selector).first.evaluate(script, name)


def test_nothing_moves_for_people_who_want_less_motion(page, lead_board, mirrored):
    batch = mirrored()
    for motion, is_still in (("no-preference", False), ("reduce", True)):
        page.emulate_media(reduced_motion=motion)
        for path in ("/", batch.get_absolute_url(), "/spend/"):
            lead_board(path)
            assert page.evaluate("document.getAnimations().length") == 0, path
            # What a component's style sheet might do.
            page.evaluate(MOVING)
            assert (page.evaluate("document.getAnimations().length") == 0) == is_still, path


def test_forced_colors_show_what_is_current_and_how_a_workspace_is(page, lead_board, mirrored):
    mirrored()
    page.emulate_media(forced_colors="active")
    lead_board()

    for other in ("#tab-all", "#tab-active"):
        assert style(page, other, "borderStyle")
    current, other = (
        style(page, ".top-nav a", "backgroundColor"),
        style(page, ".top-nav a:not([aria-current])", "backgroundColor"),
    )
    assert current != other
    assert style(page, "#tab-all", "backgroundColor") != style(
        page, "#tab-active", "backgroundColor"
    )
    assert style(page, "[data-field=state]", "color") == style(page, "body", "color")
    fresh = style(page, ".dot", "backgroundColor")
    page.locator("[data-as-of]").first.evaluate("each => (each.dataset.health = 'stale')")
    assert style(page, ".dot", "backgroundColor") != fresh
    lead_board("/spend/")
    for group in (".switch >> nth=0", ".switch >> nth=1"):
        chosen = style(page, f"{group} >> [aria-current]", "backgroundColor")
        assert chosen != style(page, f"{group} >> a:not([aria-current])", "backgroundColor")


@pytest.mark.parametrize(
    ("width", "height", "text"), [(1280, 800, 100), (360, 740, 200), (320, 256, 100)]
)
def test_the_header_never_covers_what_has_focus(page, lead_board, mirrored, width, height, text):
    for _ in range(6):
        mirrored()
    page.set_viewport_size({"width": width, "height": height})
    lead_board()
    page.evaluate(f"document.documentElement.style.fontSize = '{text}%'")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    covered = []

    for _ in range(6):
        page.keyboard.press("k")
        top = page.evaluate("document.activeElement.getBoundingClientRect().top")
        if top < page.locator(".top").evaluate(BOX)["bottom"]:
            covered.append(top)

    assert page.evaluate("document.activeElement.matches('.card')")
    assert covered == []


@pytest.mark.parametrize("javascript", [True, False])
def test_on_a_phone_the_header_is_a_line_and_the_menu_has_the_rest(
    browser, sign_in, person, workspace, live_server, javascript
):
    context = browser.new_context(
        java_script_enabled=javascript, viewport={"width": 320, "height": 700}
    )
    sign_in(context, person("admin", workspace, name="grace"))
    page = context.new_page()
    page.goto(f"{live_server.url}/workspaces/")

    header = page.locator(".top").bounding_box()
    page.locator("#menu-button").click()
    menu = page.locator(".menu-body")

    assert header["height"] <= 56
    expect(page.locator(".top-nav a:visible")).to_have_text("Workspaces")
    links = ["Batches", "Spend", "Audit", "Workspaces", "People", " Your account"]
    expect(menu.get_by_role("link")).to_have_text(links)
    expect(menu.locator(".menu-who")).to_have_text("grace admin")
    for control in menu.locator("a:visible, button:visible").all():
        assert control.bounding_box()["height"] >= 44
    menu.get_by_role("button", name="Dark").click()
    assert page.url == f"{live_server.url}/workspaces/"
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.locator("#menu-button").click()
    page.locator("#sign-out").click()
    # The theme is the browser's, not the person's.
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("#id_username")).to_be_visible()
    context.close()


def test_the_menu_closes_with_escape_and_by_a_press_elsewhere(page, board):
    board()
    menu, button = page.locator("#menu"), page.locator("#menu-button")

    button.click()
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(button).to_be_focused()
    button.click()
    page.locator("h1").click(force=True)

    expect(menu).not_to_have_attribute("open", "")


def test_a_chosen_theme_beats_the_systems(page, board, context, live_server):
    page.emulate_media(color_scheme="light")
    board("/account/")
    light = style(page, "html", "backgroundColor")

    page.get_by_label("Dark", exact=True).check()
    page.locator("#save-display").click()

    expect(page.get_by_label("Dark", exact=True)).to_be_checked()
    # The message, which only this page of those that are tested has.
    expect(page.locator(".messages .notice")).to_be_visible()
    assert violations(page) == []
    assert style(page, "html", "backgroundColor") != light
    assert style(page, "html", "colorScheme") == "dark"


def test_a_tap_on_a_time_shows_it_in_utc_and_the_chosen_zone(
    page, board, operator, mirrored, sync, workspace
):
    Preferences.objects.create(person=operator, time_zone="Asia/Kolkata")
    mirrored()
    page.set_viewport_size(PHONE)
    board()
    time = page.locator(".card time").first

    time.click()

    expect(page.locator("#note")).to_be_visible()
    expect(page.locator("#note")).to_have_text(time.get_attribute("title"))
    assert time.get_attribute("title").endswith(" Kolkata")
    page.keyboard.press("Escape")
    expect(page.locator("#note")).to_be_hidden()
    # What the script writes after a sync is what the server wrote.
    synced = page.locator("[data-as-of] time").first
    written = synced.get_attribute("title")
    moment = synced.get_attribute("datetime")
    synced.evaluate("each => (each.title = '')")
    detail = f"{{'{workspace.pk}': '{moment}'}}"
    page.evaluate(f"document.dispatchEvent(new CustomEvent('synced', {{detail: {detail}}}))")
    assert synced.get_attribute("title") == written


def test_the_browsers_own_zone_is_used_by_those_who_chose_it(
    browser, sign_in, operator, mirrored, live_server
):
    batch = mirrored()
    context = browser.new_context(timezone_id="America/Phoenix")
    sign_in(context, operator)
    page = context.new_page()
    page.goto(f"{live_server.url}/account/")

    page.get_by_label("Times in UTC").select_option("browser")
    page.locator("#save-display").click()
    page.goto(live_server.url + batch.get_absolute_url())

    expect(page.locator(".batch-head time[title$=' Phoenix']").first).to_be_visible()
    context.close()


def test_copying_says_copied_and_offers_the_text_where_there_is_no_clipboard(
    page, board, context, mirrored
):
    batch = mirrored()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    board()
    note, button = page.locator("#note"), page.locator(f"#copy-{batch.api_id}")

    button.click()

    expect(note).to_have_text("Copied")
    expect(button.locator("use")).to_have_attribute("href", "/static/img/icons.svg#check")
    expect(page.locator("#announcements")).to_have_text("Copied the ID.")
    assert page.evaluate("navigator.clipboard.readText()") == batch.api_id
    expect(note).to_be_hidden()
    expect(button.locator("use")).to_have_attribute("href", "/static/img/icons.svg#copy")

    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    button.click()
    expect(note).to_contain_text("Copying needs HTTPS.")
    expect(note.get_by_label("ID")).to_have_value(batch.api_id)
    assert page.evaluate("getSelection().toString()") == batch.api_id


def test_the_shortcuts_open_on_close_and_the_backdrop_closes_them(page, board, mirrored):
    batch = mirrored()
    board()
    dialog = page.locator("#shortcuts-dialog")

    page.keyboard.press("?")
    expect(page.locator("#shortcuts-close")).to_be_focused()
    page.locator("#shortcuts-title").click()
    expect(dialog).to_be_visible()
    page.mouse.click(5, 5)
    expect(dialog).to_be_hidden()

    for key in ("Enter", "o"):
        board()
        # Chromium drops keys that are pressed before it has painted a new page.
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        page.keyboard.press("j")
        expect(page.locator(".card")).to_be_focused()
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"{batch.api_id}/$"))


def test_pages_without_the_header_have_no_scrollbar_for_nothing(
    page, board, complaints, live_server
):
    page.set_viewport_size({"width": 1280, "height": 720})
    over = {}

    for path in ("/account/password/", "/nowhere/", "/spend/", "/accounts/login/"):
        if "login" in path:
            page.context.clear_cookies()
        board(path)
        over[path] = page.evaluate("document.documentElement.scrollHeight - innerHeight")

    assert over == dict.fromkeys(over, 0)
    expect(page.locator("#id_username")).to_be_visible()
    complaints[:] = [text for text in complaints if "404" not in text and "403" not in text]


# Controls that stand alone: the text around others is a sentence.
SMALL = """least => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
  .filter(each => each.checkVisibility({visibilityProperty: true}) && !each.matches(".skip"))
  .filter(each => !each.closest("svg, .patterns") && each.type !== "hidden")
  .map(each => (/^(checkbox|radio)$/.test(each.type) && each.closest("label")) || each)
  .filter(each => {
    const around = each.parentElement.closest("p, li, dd, td, th, span");
    const text = (part) => part?.textContent.replace(/\\s+/g, "") ?? "";
    return !(each.matches("a") && around && text(around) !== text(each));
  })
  .map(each => [each.id || each.className || each.textContent.trim(), each.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.height < least || box.width < least))
  .map(([name, box]) => `${name} ${Math.round(box.width)}x${Math.round(box.height)}`)
"""


def test_every_control_is_large_enough_to_press(page, lead_board, mirrored):
    batch = mirrored()
    read_now(mirrored("msgbatch_read", status="ended", requests=10, succeeded=7, errored=3))
    small = {}

    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 740})
        for path in ("/", batch.get_absolute_url(), "/batches/msgbatch_read/", "/spend/", "/audit/",
                     "/account/"):  # fmt: skip
            lead_board(path)
            small[width, path] = page.evaluate(SMALL, 23.5)

    assert small == {key: [] for key in small}
    lead_board()
    for control in ("#pause", "#menu-button", f"#cancel-{batch.api_id}"):
        box = page.locator(control).bounding_box()
        assert min(box["width"], box["height"]) >= 44, control
