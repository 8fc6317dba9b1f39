"""What axe-core finds wrong with a page."""

from pathlib import Path

from playwright.sync_api import Page
from pytest_playwright_axe import OPTIONS_WCAG_22AA, Axe

# The rules that depend on the color scheme. The others find the same in both.
COLOR_RULES = "{runOnly: {type: 'rule', values: ['color-contrast', 'link-in-text-block']}}"


def violations(page: Page, scheme: str = "light") -> list[str]:
    """The rules of WCAG 2.2 AA that the page breaks; in the dark scheme, those about colors."""
    options = COLOR_RULES if scheme == "dark" else OPTIONS_WCAG_22AA
    axe = Axe(Path("unused"))
    found = axe.run(page, options=options, html_report_generated=False, json_report_generated=False)
    return [violation["id"] for violation in found["violations"]]
