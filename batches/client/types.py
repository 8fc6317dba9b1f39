"""What the API says about batches, as values that do not change."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from batches.client.errors import BatchNotFound, printable

ID_FORM = r"\A[A-Za-z0-9_-]{1,200}\Z"
# A true batch has some 700 bytes; a large one would slow down every page that shows it.
LARGEST_BATCH_BYTES = 16_384
# The most that one page may be asked for (api.md).
MOST_ITEMS = 1000
# 1,000 batches hold some 20,000 values. Each comma may make a Python object of 100 bytes or more.
MOST_COMMAS = 100_000
# A true batch has two. SQLite's JSON functions take no more than 1,000 levels.
MOST_BRACKETS = 500
# A batch holds 100,000 requests at most. Databases sum whole numbers in 64 bits, and even a
# million batches with five such counts each stay below that.
LARGEST_COUNT = 10**12
# Wide enough for any batch, and so far from the calendar's ends that arithmetic never overflows.
YEARS = range(1970, 9000)
MOMENTS = (
    "created_at",
    "expires_at",
    "ended_at",
    "cancel_initiated_at",
    "archived_at",
)

BatchId = Annotated[str, Meta(pattern=ID_FORM)]
Count = Annotated[int, Meta(ge=0, le=LARGEST_COUNT)]
Word = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.-]{1,60}\Z")]
Url = Annotated[str, Meta(max_length=2000)]


class RequestCounts(Struct, frozen=True):
    """How many of a batch's requests are in which state. Before the end all are `processing`."""

    processing: Count
    succeeded: Count
    errored: Count
    canceled: Count
    expired: Count

    @property
    def total(self) -> int:
        """The number of requests in the batch, which the API does not say otherwise."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class RemoteBatch(Struct, frozen=True, kw_only=True):
    """One batch as the API described it at one moment; every datetime is in UTC.

    `raw` is the JSON object as it came, unknown fields included. `request_id` identifies the
    answer that brought it, and `workspace_id` is what that answer calls the key's workspace;
    each is empty where the answer did not say.
    """

    id: BatchId
    type: Word
    # Kept as a plain word: the API may add a status before we do.
    processing_status: Word
    request_counts: RequestCounts
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    archived_at: datetime | None = None
    results_url: Url | None = None
    raw: dict[str, Any]
    request_id: str = ""
    workspace_id: str = ""


class UnreadableBatch(Struct, frozen=True):
    """An item of the list that cannot be read as a batch.

    `id` is empty if even that is missing, and `raw` is None for an item that is too large.
    """

    id: str
    problem: str
    raw: Any


class BatchPage(Struct, frozen=True, kw_only=True):
    """One page of the list, newest first. Wait `pause_seconds` before the next call.

    `workspace_id` is what the API calls the key's workspace; empty where it did not say.
    """

    batches: tuple[RemoteBatch, ...]
    unreadable: tuple[UnreadableBatch, ...]
    has_more: bool
    last_id: str | None
    request_id: str
    workspace_id: str = ""
    pause_seconds: float = 0.0
    # Bytes of the answer.
    size: int = 0


class _Listed(Struct):
    # Items stay unread at first, so that a bad one costs only itself.
    data: list[msgspec.Raw]
    has_more: bool
    # An odd cursor must not hide the page's batches.
    last_id: Any = None


class _Named(Struct):
    id: Any = None


# Filled in by us, so an answer's own fields of these names stay in `raw` only.
_OURS = ("raw", "request_id", "workspace_id")
_THEIRS = tuple(name for name in RemoteBatch.__struct_fields__ if name not in _OURS)


def possible_id(text: str) -> str:
    """The same text, if a batch can have it as its ID.

    Raises BatchNotFound otherwise, so that no hostile text ever becomes part of a path.
    """
    if not re.match(ID_FORM, text):
        raise BatchNotFound(f"no batch can have the ID “{printable(text)[:80]}”.")
    return text


def moment(text: str) -> datetime:
    """The moment in UTC that a timestamp of RFC 3339 names, rounded to microseconds.

    A leap second (its section 5.6) counts as the second after it. Raises ValueError, whose
    sentence does not repeat the text, which may be anything.
    """
    is_leap = text[16:19] == ":60"
    try:
        value = msgspec.convert(f"{text[:17]}59{text[19:]}" if is_leap else text, datetime)
    except msgspec.ValidationError:
        raise ValueError("not a timestamp of RFC 3339") from None
    if value.tzinfo is None:
        raise ValueError("a timestamp that does not say its offset from UTC")
    if value.year not in YEARS:
        raise ValueError("a timestamp outside the years that make sense")
    return value.astimezone(UTC) + timedelta(seconds=is_leap)


def decode[T](body: bytes | msgspec.Raw, type: type[T]) -> T:
    """JSON from outside as `type`. Raises ValueError for every way in which it can be wrong.

    Also for more values than any answer holds: read, they would fill the memory.
    """
    if bytes(body).count(b",") > MOST_COMMAS:
        raise ValueError("it holds more values than any answer of the API")
    try:
        return msgspec.json.decode(body, type=type)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def read_batch(
    body: bytes | msgspec.Raw, *, request_id: str = "", workspace_id: str = ""
) -> RemoteBatch:
    """The batch that a JSON object describes. Raises ValueError with what is wrong with it."""
    text = bytes(body)
    if problem := _excess(text):
        raise ValueError(problem)
    # PostgreSQL keeps no NUL in its text or JSON. In JSON it can only come escaped, and after an
    # escaped backslash the same six characters are plain text.
    if b"\\u0000" in text.replace(b"\\\\", b""):
        raise ValueError("it holds a NUL character")
    raw = decode(text, dict[str, Any])
    return _batch(raw, {"raw": raw, "request_id": request_id, "workspace_id": workspace_id})


def _excess(text: bytes) -> str:
    """What an item has too much of to be a batch, or nothing."""
    if len(text) > LARGEST_BATCH_BYTES:
        return f"it is longer than {LARGEST_BATCH_BYTES:,} bytes"
    if text.count(b"[") + text.count(b"{") > MOST_BRACKETS:
        return f"it holds more than {MOST_BRACKETS} objects and lists"
    return ""


def _batch(raw: dict[str, Any], ours: dict[str, Any]) -> RemoteBatch:
    fields = {name: raw[name] for name in _THEIRS if name in raw}
    for name in MOMENTS:
        if isinstance(text := fields.get(name), str):
            try:
                fields[name] = moment(text)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    try:
        return msgspec.convert(fields | ours, RemoteBatch)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


def read_page(
    body: bytes,
    *,
    limit: int = MOST_ITEMS,
    request_id: str = "",
    workspace_id: str = "",
    pause_seconds: float = 0.0,
) -> BatchPage:
    """One page of the list, its unreadable items apart.

    Raises ValueError if it is no page, or has more than `limit` items.
    """
    listed = decode(body, _Listed)
    if len(listed.data) > min(limit, MOST_ITEMS):
        raise ValueError("its page holds more items than were asked for")
    batches: list[RemoteBatch] = []
    unreadable: list[UnreadableBatch] = []
    for item in listed.data:
        try:
            batch = read_batch(item, request_id=request_id, workspace_id=workspace_id)
            batches.append(batch)
        except ValueError as error:
            unreadable.append(_unreadable(item, problem=str(error)))
    return BatchPage(
        batches=tuple(batches),
        unreadable=tuple(unreadable),
        has_more=listed.has_more,
        last_id=_usable_id(listed.last_id),
        request_id=request_id,
        workspace_id=workspace_id,
        pause_seconds=pause_seconds,
        size=len(body),
    )


def _usable_id(value: object) -> str | None:
    """The value if it can be asked for as an ID, None for any other."""
    return value if isinstance(value, str) and re.match(ID_FORM, value) else None


def _unreadable(item: msgspec.Raw, *, problem: str) -> UnreadableBatch:
    raw, named = None, None
    try:
        named = decode(item, _Named).id
        if not _excess(bytes(item)):
            raw = decode(item, object)
    except ValueError:
        pass
    return UnreadableBatch(id=_usable_id(named) or "", problem=printable(problem)[:300], raw=raw)
