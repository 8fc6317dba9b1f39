"""The list's poll: what an open page shows, and what has changed for it since."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from batches.models import Batch
from batches.search import FEW
from dashboard.cards import Card
from dashboard.list.keyset import BadCursor, Position, Window
from dashboard.list.listing import PAGE_SIZE, Listing
from dashboard.live import Version
from dashboard.query_form import row_key


@dataclass(frozen=True, slots=True)
class OpenPage:
    """What the poll's address says about the page: `changes_at` is when a card next changes.

    `made_at` is the revision of the page when it was loaded, `seen` its version at the last poll.
    """

    seen: Version
    made_at: int
    window: Window
    changes_at: datetime | None
    shown: list[int]

    def has_changed(self, card: Card) -> bool:
        """Whether the card differs from what the page shows."""
        if card.batch.revision > self.seen.revision:
            return True
        since = self.changes_at
        return since is not None and any(since <= at <= card.now for at in card.changes_at)


def poll_address(
    listing: Listing, version: Version, made_at: int, window: Window, changes_at: datetime | None
) -> str:
    """The address from which the page polls."""
    state = {
        "v": version,
        "made": made_at,
        "first": window.first,
        "last": window.last,
        # Rounded up, as a poll before the moment would find no change.
        "at": int(changes_at.timestamp()) + 1 if changes_at else None,
    }
    given = urlencode({name: value for name, value in state.items() if value is not None})
    query = listing.query()
    return f"{reverse('batch-live')}{query}{'&' if len(query) > 1 else ''}{given}"


def read_poll(query: QueryDict, sort: str) -> OpenPage:
    """Reads `poll_address` and the cards that the page shows. Ignores all that is not valid."""
    seen = Version.parse(query.get("v", ""))
    made_at = row_key(query.get("made", ""))
    shown = (row_key(text) for text in query.getlist("shown")[: 2 * PAGE_SIZE])
    return OpenPage(
        seen,
        seen.revision if made_at is None else made_at,
        Window(_position(query, "first", sort), _position(query, "last", sort)),
        moment_of(query),
        # 0 is the key of no batch, for pages without cards.
        [key for key in shown if key],
    )


def moment_of(query: QueryDict) -> datetime | None:
    """When a card of the page next changes with the time alone."""
    seconds = row_key(query.get("at", ""))
    try:
        # A second less, as it was rounded up.
        return datetime.fromtimestamp(seconds - 1, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None


def _position(query: QueryDict, name: str, sort: str) -> Position | None:
    try:
        return Position.from_text(query.get(name, ""), sort)
    except BadCursor:
        return None


def next_change(cards: Iterable[Card], now: datetime) -> datetime | None:
    """The earliest moment at which one of the cards changes with the time alone."""
    return min((at for card in cards for at in card.changes_at if at > now), default=None)


def changing_batches(listing: Listing, page: OpenPage) -> list[Batch]:
    """Those on the page that have changed, and those that may change with the time alone."""
    shown = listing.everything().filter(pk__in=page.shown)
    found = shown.changed_since(page.seen.revision) | shown.active()
    return listing.with_cards(found)


def count_waiting(listing: Listing, page: OpenPage) -> int:
    """How many batches belong into the part of the list that the page shows, and are not on it.

    Each has changed since the page was loaded.
    """
    keys = [workspace.pk for workspace in listing.workspaces]
    changed = Batch.objects.walking_in_order(keys).changed_since(page.made_at)
    others = list(changed.exclude(pk__in=page.shown).values_list("pk", flat=True)[: FEW + 1])
    matching = listing.matching().filter(page.window.where)
    if len(others) <= FEW:
        return matching.filter(pk__in=others).count() if others else 0
    return matching.changed_since(page.made_at).exclude(pk__in=page.shown).count()


def still_matching(listing: Listing, batches: Iterable[Batch]) -> set[int]:
    """The keys of those that match the tab and the filters."""
    keys = [batch.pk for batch in batches]
    return (
        set(listing.matching().filter(pk__in=keys).values_list("pk", flat=True)) if keys else set()
    )
