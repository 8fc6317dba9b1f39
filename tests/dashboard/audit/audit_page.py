"""Reads the audit's pages, and records events for them."""

import html
import re
from datetime import UTC, datetime

from django.test import Client

from batches.models import AuditEvent


def events_on(page: str) -> dict[int, str]:
    """The text of each event by its ID, in the page's order. Steps are events of their own."""
    table = page.partition("<tbody")[2].partition("</tbody>")[0]
    _, *parts = re.split(r'id="event-(\d+)"', table)
    return {
        int(pk): " ".join(html.unescape(re.sub("<[^>]*(>|$)", " ", f"<{part}")).split())
        for pk, part in zip(parts[::2], parts[1::2], strict=True)
    }


def all_events(browser: Client, query: dict[str, str]) -> dict[int, str]:
    """The events of every page, found by following the link to older ones."""
    found: dict[int, str] = {}
    address = "/audit/"
    while True:
        page = browser.get(address, query).text
        found |= events_on(page)
        older = re.search(r'id="older"[^>]*href="([^"]+)"', page)
        if older is None:
            return found
        address, query = f"/audit/{html.unescape(older[1]).removeprefix('/audit/')}", {}


def event(action: str, *, at: datetime | None = None, **details) -> AuditEvent:
    """Record an event, at noon if `at` is not given."""
    return AuditEvent.record(
        action, **{"at": at or datetime(2026, 11, 24, 12, tzinfo=UTC), **details}
    )
