"""One page of the list: its batches, its place in the order, and the pages beside it."""

from dataclasses import dataclass

from django.db.models import Q

from batches.models import Batch
from dashboard.list.keyset import Position, Window
from dashboard.list.listing import PAGE_SIZE, Listing


@dataclass(frozen=True, slots=True)
class Pager:
    """Where a page is, such as 51 to 100 of 1,018, and the query strings of the pages beside it.

    `first` counts from 1. It was right when the first of these pages was made.
    """

    first: int
    last: int
    total: int
    previous: str
    following: str

    @property
    def is_needed(self) -> bool:
        return bool(self.previous or self.following)


@dataclass(frozen=True, slots=True)
class Page:
    batches: list[Batch]
    window: Window


def page_of(listing: Listing, total: int, size: int = 0) -> Page:
    """The page that the address asks for, when `total` batches match.

    It has up to `size` batches, or PAGE_SIZE.
    """
    size = size or PAGE_SIZE
    if listing.before:
        found = listing.some(listing.before.before, total, size + 1, backwards=True)
        if len(found) > size:
            first = max(size + 1, listing.before.number - size)
            return _page(listing, found[1:], first, has_more=True)
        # Fewer than a page precede it, so this is the first page.
        listing.before = None
    place = listing.after.after if listing.after else Q()
    found = listing.some(place, total, size + 1)
    first = listing.after.number + 1 if listing.after else 1
    return _page(listing, found[:size], first, has_more=len(found) > size)


def _page(listing: Listing, batches: list[Batch], first: int, *, has_more: bool) -> Page:
    sort, start, end = listing.sort, listing.after, None
    if listing.cursor and batches:
        start = Position.of(batches[0], sort, first)
    if has_more:
        end = Position.of(batches[-1], sort, first + len(batches) - 1)
    return Page(batches, Window(start, end))


def pager_of(listing: Listing, window: Window, shown: int, total: int) -> Pager:
    """The pager of a page that shows this part of the order, when `total` batches match."""
    start, end = window.first, window.last
    first = start.number if start else 1
    last = first + shown - 1
    previous = ""
    if start:
        is_second = start.number <= PAGE_SIZE + 1
        previous = listing.query() if is_second else listing.query(before=start)
    return Pager(first, last, max(total, last), previous, listing.query(after=end) if end else "")
