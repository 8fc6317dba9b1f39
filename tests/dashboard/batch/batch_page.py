"""What a person reads on one batch's page, and the rows that it is told from."""

import html
import re
from datetime import UTC, datetime

from django.test import Client
from django.utils import timezone

from batches.models import Batch, Cancellation, Ingestion

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def words(page: str) -> str:
    """A page as a person reads it, without markup and line breaks."""
    text = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def section(page: str, title: str) -> str:
    """One panel's words, by its heading's id."""
    return words(page.partition(f'aria-labelledby="{title}"')[2].partition("</section>")[0])


def fact(page: str, name: str) -> str:
    """What stands beside a name in one of the page's lists."""
    found = re.search(rf"<dt>{name}</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return words(found[1])


def read(batch: Batch, **columns) -> Batch:
    """As a reading of the batch's results leaves it."""
    Ingestion.objects.create(**{"batch": batch, "ingested_at": timezone.now(), **columns})
    return batch


def page_of(browser: Client, batch: Batch) -> str:
    return browser.get(batch.get_absolute_url()).text


def wish(batch: Batch, **columns) -> Cancellation:
    """A cancel of the batch that ada asked for and the API took."""
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
