import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import overflows, violations
from tests.spend_world import PRICES, spent, used

# Today, because time-machine moves neither the browser nor the server's thread.
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=1)
PERIOD = f"?since={(TODAY - timedelta(29)).date()}&until={TODAY.date()}"


@pytest.fixture
def lead(page, context, board, person, workspace, sign_in, settings):
    """A function that opens a page as a lead."""
    settings.BATCHBOARD_PRICE_TABLE = PRICES
    sign_in(context, person("lead", workspace))
    day = TODAY - timedelta(3)
    spent(workspace, day, used(input=3), label="nightly", owner="ada")
    spent(workspace, day, used(model="large", input=1), used(input=1), label="weekly")
    spent(workspace, TODAY - timedelta(9), used(model="large", input=2, web_searches=50))
    spent(workspace, TODAY, processing_status="in_progress")
    spent(workspace, TODAY - timedelta(1), used(model="new"))
    spent(workspace, TODAY - timedelta(28), results_state="pending", label="=left()")
    return board


def label(days_ago: int) -> str:
    day = (TODAY - timedelta(days_ago)).date()
    return f"{day.day} {day:%b}"


def test_a_days_figure_leads_to_its_batches(page, lead):
    lead(f"/spend/{PERIOD}")
    row = page.locator(".days-table tbody tr").filter(has_text=label(3))

    row.get_by_role("link", name="$4.00").click()

    expect(page.locator("#total")).to_contain_text("$4.00")
    expect(page.locator("#model")).to_have_value("small")
    page.locator("#total").get_by_role("link", name="2 batches").click()
    expect(page.locator("#cards article")).to_have_count(2)
    expect(page.locator("#search")).to_be_visible()


def test_the_charts_days_are_one_keyboard_group(page, lead):
    lead(f"/spend/{PERIOD}")
    days = page.locator(".chart-day")
    focused = page.locator(".chart-day:focus")
    card = page.locator("#chart-card")

    expect(page.locator('.chart-day[tabindex="0"]')).to_have_count(1)
    days.last.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")

    expect(focused).to_have_attribute("aria-label", re.compile(f"^{label(3)}: "))
    expect(page.locator('.chart-day[tabindex="0"]')).to_have_count(1)
    room = focused.locator(".chart-room")
    assert room.evaluate("e => getComputedStyle(e).strokeWidth") == "2px"
    for words in ("$9.00", "small", "$4.00", "large", "$5.00"):
        expect(card).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    page.keyboard.press("Home")
    expect(focused).to_have_attribute("aria-label", re.compile(f"^{label(29)}: "))
    page.keyboard.press("ArrowRight")
    expect(card).to_contain_text("Not included: 1 not read yet")
    page.keyboard.press("End")
    expect(focused).to_have_attribute("aria-label", re.compile(f"^{label(0)}: "))
    page.keyboard.press("Tab")
    expect(focused).to_have_count(0)
    expect(card).to_be_hidden()


def test_enter_on_a_day_opens_it(page, lead):
    lead(f"/spend/{PERIOD}")

    page.locator(f'.chart-day[aria-label^="{label(3)}:"]').focus()
    page.keyboard.press("Enter")

    expect(page.locator("#since")).to_have_value(str((TODAY - timedelta(3)).date()))
    expect(page.locator("#total")).to_contain_text("$9.00")


def middle_of_day(page, days_ago: int) -> tuple[float, float]:
    box = page.locator(f'.chart-day[aria-label^="{label(days_ago)}:"] .chart-room').bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_pointer_shows_the_day_and_may_move_onto_its_card(page, lead):
    lead(f"/spend/{PERIOD}")
    card = page.locator("#chart-card")
    page.locator("#chart").scroll_into_view_if_needed()
    x, y = middle_of_day(page, 3)

    page.mouse.move(x, y)
    expect(card).to_contain_text("$9.00")
    box = card.bounding_box()
    page.mouse.move(x, box["y"] + box["height"] / 2, steps=20)
    expect(card).to_contain_text("$9.00")
    page.mouse.move(5, 5)

    expect(card).to_be_hidden()


def test_a_finger_sees_the_day_before_it_opens_it(context, page, lead, browser, live_server):
    finger = browser.new_context(
        viewport={"width": 360, "height": 740},
        has_touch=True,
        storage_state=context.storage_state(),
    )
    touched = finger.new_page()
    touched.goto(f"{live_server.url}/spend/{PERIOD}")
    touched.locator("#chart").scroll_into_view_if_needed()
    card = touched.locator("#chart-card")

    touched.touchscreen.tap(*middle_of_day(touched, 3))
    expect(card).to_contain_text("$9.00")
    link = card.get_by_text("Open this day")
    assert link.bounding_box()["height"] >= 44
    link.tap()

    expect(touched.locator("#total")).to_contain_text("$9.00")
    finger.close()


FILLS = "all => all.map(e => getComputedStyle(e).fill)"


def test_bars_have_plain_colors_and_patterns_on_paper_and_in_high_contrast(page, lead):
    lead(f"/spend/{PERIOD}")
    bars = page.locator(".chart-day .series")
    plain = set(bars.evaluate_all(FILLS))
    swatches = set(page.locator(".legend .series").evaluate_all(FILLS))

    assert plain == swatches
    assert len(plain) == 2
    assert not any("url" in fill for fill in plain)
    for media in ({"media": "print"}, {"media": "screen", "forced_colors": "active"},
                  {"forced_colors": "none", "contrast": "more"}):  # fmt: skip
        page.emulate_media(**media)
        assert all("url" in fill for fill in bars.evaluate_all(FILLS)), media
    expect(page.locator(".legend li")).to_have_count(3)


def test_links_of_tables_and_legend_are_underlined_only_under_the_pointer_or_focus(page, lead):
    lead(f"/spend/{PERIOD}")
    links = page.locator(":is(.spend-table, .legend) a")

    assert set(
        links.evaluate_all("all => all.map(e => getComputedStyle(e).textDecorationLine)")
    ) == {"none"}
    assert min(links.evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")) >= 24
    links.first.hover()
    assert links.first.evaluate("e => getComputedStyle(e).textDecorationLine") == "underline"


def test_a_month_prints_as_a_document(page, context, lead):
    page.add_init_script("window.print = () => { window.printed = (window.printed || 0) + 1 }")
    page.emulate_media(color_scheme="dark")
    lead("/spend/")

    page.get_by_role("link", name="Print or PDF").click()
    page.wait_for_function("window.printed === 1")
    page.emulate_media(media="print", color_scheme="dark")
    # The inside of an A4 page with margins of 12 mm.
    page.set_viewport_size({"width": 703, "height": 1000})

    assert "month=" in page.url
    assert "#print" not in page.url
    expect(page.locator(".print-head")).to_contain_text("Batchboard · Spend")
    expect(page.locator(".print-head")).to_contain_text("UTC by")
    for hidden in (".top", ".skip", ".filters", ".periods", ".finance", ".switch", ".export"):
        for each in page.locator(hidden).all():
            expect(each).to_be_hidden()
    found = page.evaluate(
        """() => ({
          cut: [...document.querySelectorAll('.scroll')].filter(
            e => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1).length,
          sideways: document.documentElement.scrollWidth > innerWidth,
          sticky: [...document.querySelectorAll('th, td')].filter(
            e => getComputedStyle(e).position === 'sticky').length,
          foot: getComputedStyle(document.querySelector('tfoot')).display,
          head: getComputedStyle(document.querySelector('thead')).display,
          row: getComputedStyle(document.querySelector('tbody tr')).breakInside,
          underlined: [...document.querySelectorAll('main a')].filter(
            e => getComputedStyle(e).textDecorationLine !== 'none').length,
          exact: getComputedStyle(document.querySelector('.series')).printColorAdjust,
          ground: getComputedStyle(document.querySelector('.tile')).backgroundColor,
        })"""
    )
    assert found == {
        "cut": 0,
        "sideways": False,
        "sticky": 0,
        "foot": "table-row-group",
        "head": "table-header-group",
        "row": "avoid",
        "underlined": 0,
        "exact": "exact",
        "ground": "oklch(1 0 0)",
    }
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))
    assert 1 <= len(pages) <= 3


def test_a_chosen_month_is_shown_at_once(page, lead):
    lead(f"/spend/{PERIOD}&group=label")
    month = f"{TODAY - timedelta(29):%Y-%m}"

    page.locator("#month").select_option(month)

    expect(page).to_have_url(re.compile(f"month={month}"))
    expect(page.locator("#by-group")).to_have_text("By label")
    expect(page.locator("#month")).to_have_value(month)


def test_back_returns_to_the_same_figures(page, lead):
    lead(f"/spend/{PERIOD}&group=label")

    page.get_by_role("link", name="nightly").click()
    expect(page.locator("#total")).to_contain_text("$3.00")
    page.go_back()

    expect(page.locator("#by-group")).to_have_text("By label")


def test_axe_finds_nothing_in_either_scheme(page, lead):
    found = {}

    for group in ("model", "label"):
        lead(f"/spend/{PERIOD}&group={group}")
        found[group] = violations(page)

    assert found == {"model": [], "label": []}


CONTRASTS = """() => {
  const canvas = document.createElement('canvas');
  const paint = canvas.getContext('2d', {willReadFrequently: true});
  const light = color => {
    paint.fillStyle = color;
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map(c => {
      const part = c / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = light(getComputedStyle(document.querySelector('.panel')).backgroundColor);
  return [...document.querySelectorAll('pattern .series-ground')].map(rect => {
    const ink = light(getComputedStyle(rect).fill);
    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  });
}"""


def test_each_series_contrasts_with_the_background(page, lead):
    lead(f"/spend/{PERIOD}")

    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ratios = page.evaluate(CONTRASTS)

        assert len(ratios) == 7
        assert min(ratios) >= 3, scheme


def test_no_period_scrolls_the_page_sideways(page, lead):
    found = {}

    for days in (1, 30, 300):
        lead(f"/spend/?since={(TODAY - timedelta(days)).date()}&until={TODAY.date()}")
        found[days] = overflows(page, (320, 360, 768))

    assert found == {1: {}, 30: {}, 300: {}}
