"""What a test reads from the list's page."""

import html
import re

from django.test import Client


def shown(page: str) -> list[str]:
    """The IDs on the cards, in their order."""
    return re.findall(r'<article id="batch-([^"]+)"', page)


def link(page: str, element: str) -> str:
    """Where the link with this ID leads; empty if there is none."""
    tag = re.search(rf'<a [^>]*id="{element}"[^>]*>', page)
    return html.unescape(re.search(r'href="([^"]*)"', tag[0])[1]) if tag else ""


def poll(page: str) -> str:
    """The address that the page polls, with the cards on it."""
    address = html.unescape(re.search(r'hx-get="(/live/[^"]+)"', page)[1])
    return address + shown_keys(page)


def shown_keys(page: str) -> str:
    """The cards on the page, as the page's script adds them to the poll's address."""
    keys = ["0", *re.findall(r"<a id=link-(\d+) ", page)]
    return "".join(f"&shown={key}" for key in keys)


def place(page: str) -> str:
    """Which batches the page says it shows, of how many; empty where it shows them all."""
    found = re.search(r'class="pager-place">([^<]+)<', page)
    return found[1].strip() if found else ""


def count(page: str, tab: str = "all") -> int:
    """The number on a tab."""
    return int(re.search(rf'id="tab-{tab}".*?class="count">(\d+)<', page, re.DOTALL)[1])


def walk(browser: Client, address: str, element: str) -> list[list[str]]:
    """The cards of the page and of those that the link with this ID leads to, page by page."""
    pages = []
    while address:
        page = browser.get(address).text
        pages.append(shown(page))
        address = link(page, element)
    return pages
