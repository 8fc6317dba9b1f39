"""The head of a batch's page: what it is, how it stands, and the button that cancels it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.utils.text import Truncator

from batches import clock
from batches.models import Batch
from batches.spend.estimates import cost_estimate
from dashboard.access import may
from dashboard.batch.usage import estimate_basis, expected_span
from dashboard.cards import Card

# In the page's order. Each has an icon and a word.
FIGURES = ("succeeded", "errored", "canceled", "expired", "processing")
LONGEST_IN_TAB = 60
# Begin the tab's title, so that it tells the outcome in a row of tabs.
MARKS = {
    "in_progress": "…",
    "canceling": "⊘",
    "all_succeeded": "✓",
    "some_failed": "!",
    "all_failed": "✗",
    "canceled": "⊘",
    "canceled_too_late": "✓",
    "expired": "⌛",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the five counts."""

    name: str
    count: int


def figures(batch: Batch) -> Sequence[Figure]:
    return [Figure(name, getattr(batch, name)) for name in FIGURES]


def name_of(batch: Batch) -> str:
    """What people call the batch: its label, or its ID without one."""
    return batch.label or batch.api_id


def tab_title(card: Card) -> str:
    """The outcome with its count, then the name, such as "✓ 400/400 nightly eval"."""
    batch, mark = card.batch, MARKS.get(card.state, "?")
    name = Truncator(name_of(batch)).chars(LONGEST_IN_TAB)
    if batch.is_active and not batch.is_tallied:
        return f"{mark} {batch.total:,} {name}"
    done = batch.total - batch.processing if batch.is_active else batch.succeeded
    return f"{mark} {done:,}/{batch.total:,} {name}"


def card_of(request: Any, batch: Batch) -> Card:
    return Card(batch, clock.now(), may(request.user, "cancel"))


def is_on_page(request: Any, batch: Batch) -> bool:
    """Whether htmx made the request on the batch's page."""
    return urlsplit(request.htmx.current_url or "").path == batch.get_absolute_url()


def header_context(card: Card) -> dict[str, Any]:
    """All that `batch/_header.html` shows."""
    estimate = cost_estimate(card.batch)
    return {
        "batch": card.batch,
        "card": card,
        "figures": figures(card.batch),
        "name": name_of(card.batch),
        "title": tab_title(card),
        "expected_span": expected_span(estimate),
        "estimate_basis": estimate_basis(estimate),
    }
