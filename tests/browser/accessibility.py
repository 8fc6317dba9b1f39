"""What is wrong with how a page looks: what axe-core finds, and scrolling sideways."""

from collections.abc import Sequence

from playwright.sync_api import Page
from pytest_playwright_axe import axe

# https://www.deque.com/axe/core-documentation/api-documentation/
WCAG_22AA = {"runOnly": {"type": "tag", "values": axe.WCAG_22AA_RULESET}}
# The rules that depend on the color scheme. The others find the same in both.
COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
RULES = {"light": WCAG_22AA, "dark": COLORS}
RUN = """async options => {
  const {violations} = await axe.run({...options, resultTypes: ["violations"]});
  return violations.map(each => each.id);
}"""


def violations(page: Page) -> list[str]:
    """The rules of WCAG 2.2 AA that the page breaks, with the color scheme in which it does.

    In the dark one those about colors alone. Afterwards the page is in the light one.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe.MIN_AXE_PATH.read_text())
    found = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [f"{rule}, {scheme}" for rule in page.evaluate(RUN, RULES[scheme])]
    return found


def overflows(page: Page, widths: Sequence[int]) -> dict[int, int]:
    """By how many pixels the page scrolls sideways at each of the widths at which it does."""
    found = {}
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if beyond > 0:
            found[width] = beyond
    return found
