"""The words on one batch's page, and the rows behind them."""

import html
import re
from datetime import UTC, datetime

from django.test import Client
from django.utils import timezone

from batches.models import Batch, Cancellation, Reading

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def words(page: str) -> str:
    """The text of a page, without markup and line breaks."""
    text = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def section(page: str, title: str) -> str:
    """The text of the panel whose heading has this ID."""
    return words(page.partition(f'aria-labelledby="{title}"')[2].partition("</section>")[0])


def fact(page: str, name: str) -> str:
    """The value of a name in one of the page's lists."""
    found = re.search(rf"<dt>\s*{name}\s*</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return words(found[1])


def read(batch: Batch, **columns) -> Batch:
    """Adds what a reading of the results saves."""
    Reading.objects.create(**{"batch": batch, "read_at": timezone.now(), **columns})
    return batch


def page_of(browser: Client, batch: Batch) -> str:
    return browser.get(batch.get_absolute_url()).text


def add_cancellation(batch: Batch, **columns) -> Cancellation:
    """Adds a cancellation that ada requested and the API accepted."""
    names = ("processing", "succeeded", "errored", "canceled", "expired")
    return Cancellation.objects.create(
        batch=batch,
        **{
            "state": "accepted",
            "requested_by_name": "ada",
            "reason": "wrong prompt",
            "requested_at": NOON,
            **{f"{name}_at_request": 0 for name in names},
            **columns,
        },
    )
