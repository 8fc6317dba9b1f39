"""Streamed downloads: how many may run at a time, and how they release what they hold."""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from dashboard.errors import page

# A download to a slow client keeps one of the process's 8 threads. The others serve pages.
MOST_AT_ONCE = 4
MOST_PER_PERSON = 2
RETRY_AFTER_SECONDS = 30

# Returns the blocks of the file. What it enters on the stack is closed when the download ends.
type Begin = Callable[[ExitStack], Iterable[bytes]]


class NoPlace(Exception):
    """Too many downloads are running; `is_own` if they are the person's own."""

    def __init__(self, *, is_own: bool) -> None:
        super().__init__()
        self.is_own = is_own


class Places:
    """Counts the downloads that this process is streaming, by person."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[Hashable] = Counter()

    @contextmanager
    def taken(self, person: Hashable) -> Iterator[None]:
        """Counts one more download while the context is open. Raises NoPlace."""
        with self._lock:
            if self._taken[person] >= MOST_PER_PERSON:
                raise NoPlace(is_own=True)
            if self._taken.total() >= MOST_AT_ONCE:
                raise NoPlace(is_own=False)
            self._taken[person] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[person] -= 1
                # Drops people whose count is 0.
                self._taken += Counter()


places = Places()


class Body:
    """The blocks of a file. Closing it releases what it holds, even if it was never read."""

    def __init__(self, blocks: Iterable[bytes], held: ExitStack) -> None:
        self._blocks = blocks
        self._held = held

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)

    def close(self) -> None:
        self._held.close()


def streamed(
    request: HttpRequest, begin: Begin, *, name: str, content_type: str
) -> HttpResponseBase:
    """Streams a file to download, or answers with a page if too many downloads are running.

    A HEAD request doesn't count and doesn't call `begin`. Raises what `begin` raises.
    """
    if request.method == "HEAD":
        return _attachment((), name, content_type)
    with ExitStack() as held:
        try:
            held.enter_context(places.taken(request.user.pk))
        except NoPlace as refused:
            return _try_later(refused)
        blocks = _without_database(begin(held))
        return _attachment(Body(blocks, held.pop_all()), name, content_type)


def _without_database(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Closes the database connection first, because a download may take an hour."""
    if not connection.in_atomic_block:
        connection.close()
    # Makes the server send the headers: an error from here on breaks off a visible download.
    yield b""
    yield from blocks


def _attachment(blocks: Iterable[bytes], name: str, content_type: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(blocks, content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["Cache-Control"] = "private, no-store"
    # A proxy that buffers the whole file would hold gigabytes, and hide that it broke off.
    answer["X-Accel-Buffering"] = "no"
    return answer


def _try_later(refused: NoPlace) -> HttpResponse:
    if refused.is_own:
        answer = page(
            429,
            "You have other downloads running",
            f"This one did not start. One person can run {MOST_PER_PERSON} downloads at a time, so "
            "that others can download too.",
            "Try again when one of yours has finished, or cancel one in your browser.",
        )
    else:
        answer = page(
            503,
            "Too many downloads are running",
            f"This one did not start. The server sends {MOST_AT_ONCE} files at a time, so that "
            "pages stay quick.",
            f"Try again in {RETRY_AFTER_SECONDS} seconds.",
        )
    answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer
