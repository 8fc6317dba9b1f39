from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import violations
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


def test_a_segment_leads_to_its_batches(page, lead):
    lead(f"/spend/{PERIOD}")
    day = (TODAY - timedelta(3)).date()

    page.get_by_label(f"{day.day} {day:%b}, small: $4.00").click()

    expect(page.locator("#total")).to_contain_text("$4.00")
    expect(page.locator("#model")).to_have_value("small")
    page.locator("#total").get_by_role("link", name="2 batches").click()
    expect(page.locator("#cards article")).to_have_count(2)
    expect(page.locator("#search")).to_be_visible()


def test_a_day_is_reached_by_keyboard_and_shows_its_focus(page, lead):
    lead(f"/spend/{PERIOD}")
    day = (TODAY - timedelta(3)).date()
    bar = page.locator(f'.chart-day[aria-label^="{day.day} {day:%b}:"]')

    bar.focus()

    room = bar.locator(".chart-room")
    assert room.evaluate("e => getComputedStyle(e).strokeWidth") == "2px"
    page.keyboard.press("Enter")
    expect(page.locator("#since")).to_have_value(str(day))
    expect(page.locator("#total")).to_contain_text("$9.00")


def test_bars_have_the_colors_of_their_legend(page, lead):
    lead(f"/spend/{PERIOD}")

    fills = page.locator("pattern rect.series").evaluate_all(
        "all => all.map(e => getComputedStyle(e).fill)"
    )

    assert len(fills) == len(set(fills)) == 8
    assert "rgb(0, 0, 0)" not in fills
    expect(page.locator(".legend li")).to_have_count(3)


def test_back_returns_to_the_same_figures(page, lead):
    lead(f"/spend/{PERIOD}&group=label")

    page.get_by_role("link", name="nightly").click()
    expect(page.locator("#total")).to_contain_text("$3.00")
    page.go_back()

    expect(page.locator("#by-group")).to_have_text("By label")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("group", ["model", "label"])
def test_axe_finds_nothing_in_either_scheme(page, lead, scheme, group):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    lead(f"/spend/{PERIOD}&group={group}")

    results = violations(page, scheme)

    assert results == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_series_contrasts_with_the_background(page, lead, scheme):
    page.emulate_media(color_scheme=scheme)
    lead(f"/spend/{PERIOD}")

    ratios = page.evaluate(
        """() => {
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
          return [...document.querySelectorAll('pattern rect.series')].map(rect => {
            const ink = light(getComputedStyle(rect).fill);
            return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
          });
        }"""
    )

    assert len(ratios) == 8
    assert min(ratios) >= 3


@pytest.mark.parametrize("width", [320, 360, 768])
@pytest.mark.parametrize("since", [1, 30, 300])
def test_no_period_scrolls_the_page_sideways(page, lead, width, since):
    page.set_viewport_size({"width": width, "height": 900})
    lead(f"/spend/?since={(TODAY - timedelta(since)).date()}&until={TODAY.date()}")

    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
