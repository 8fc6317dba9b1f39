"""The API's batches as immutable values, and reading them from JSON."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from batches.client.errors import BatchNotFound, printable

ID_FORM = r"\A[A-Za-z0-9_-]{1,200}\Z"
# A normal batch has about 700 bytes. A large one would slow down every page that shows it.
LARGEST_BATCH_BYTES = 16_384
# Anthropic's limit for a page.
MOST_ITEMS = 1000
# 1,000 batches have about 20,000 values. Each comma can mean a Python object of 100 bytes or more.
MOST_COMMAS = 100_000
# A normal batch has two. SQLite's JSON functions accept at most 1,000 levels.
MOST_BRACKETS = 500
# A batch has at most 100,000 requests. Databases sum integers in 64 bits, and even a million
# batches with five such counts each fit.
LARGEST_COUNT = 10**12
# Enough for any batch, and so far from datetime's limits that arithmetic never overflows.
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
    """A batch's requests by state. Until the batch ends, all are `processing`."""

    processing: Count
    succeeded: Count
    errored: Count
    canceled: Count
    expired: Count

    @property
    def total(self) -> int:
        """The number of requests in the batch. The API has no field for it."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class RemoteBatch(Struct, frozen=True, kw_only=True):
    """One batch as the API described it at one moment; every datetime is in UTC.

    `raw` is the unchanged JSON object, including unknown fields. `request_id` identifies the
    answer, and `workspace_id` is the API's ID of the key's workspace; both are empty if the answer
    did not have them.
    """

    id: BatchId
    type: Word
    # Kept as a plain word, as the API may add statuses.
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

    `id` is empty if it is missing too. `raw` is None for an item that is too large.
    """

    id: str
    problem: str
    raw: Any


class BatchPage(Struct, frozen=True, kw_only=True):
    """One page of the list, newest first. Wait `pause_seconds` before the next call.

    `workspace_id` is the API's ID of the key's workspace; empty if the answer did not have it.
    """

    batches: tuple[RemoteBatch, ...]
    unreadable: tuple[UnreadableBatch, ...]
    has_more: bool
    last_id: str | None
    request_id: str
    workspace_id: str = ""
    pause_seconds: float = 0.0
    # In bytes.
    size: int = 0


class _Listed(Struct):
    # Items are decoded one by one, so that an invalid one does not affect the others.
    data: list[msgspec.Raw]
    has_more: bool
    # An invalid cursor must not make the page unreadable.
    last_id: Any = None


class _WithId(Struct):
    id: Any = None


# Set by this client. Fields of the answer with these names are only in `raw`.
_CLIENT_FIELDS = ("raw", "request_id", "workspace_id")
_API_FIELDS = tuple(name for name in RemoteBatch.__struct_fields__ if name not in _CLIENT_FIELDS)


def possible_id(text: str) -> str:
    """The same text, if it is a possible batch ID.

    Raises BatchNotFound otherwise, so that no hostile text becomes part of a path.
    """
    if not re.match(ID_FORM, text):
        raise BatchNotFound(f"“{printable(text)[:80]}” is not a valid batch ID.")
    return text


def moment(text: str) -> datetime:
    """The UTC datetime of an RFC 3339 timestamp, rounded to microseconds.

    A leap second (RFC 3339, 5.6) becomes the second after it. Raises ValueError, whose message
    does not repeat the text.
    """
    is_leap = text[16:19] == ":60"
    try:
        value = msgspec.convert(f"{text[:17]}59{text[19:]}" if is_leap else text, datetime)
    except msgspec.ValidationError:
        raise ValueError("not an RFC 3339 timestamp") from None
    if value.tzinfo is None:
        raise ValueError("a timestamp without a UTC offset")
    if value.year not in YEARS:
        raise ValueError(f"a timestamp outside the years {YEARS[0]} to {YEARS[-1]}")
    return value.astimezone(UTC) + timedelta(seconds=is_leap)


def decode[T](body: bytes | msgspec.Raw, type: type[T]) -> T:
    """Untrusted JSON as `type`. Raises ValueError for any kind of invalid JSON.

    Also for far more values than answers have, as they would fill the memory.
    """
    if bytes(body).count(b",") > MOST_COMMAS:
        raise ValueError("it contains more values than any answer of the API")
    try:
        return msgspec.json.decode(body, type=type)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def read_batch(
    body: bytes | msgspec.Raw, *, request_id: str = "", workspace_id: str = ""
) -> RemoteBatch:
    """The batch that a JSON object describes. Raises ValueError, whose message says why not."""
    text = bytes(body)
    if problem := _excess(text):
        raise ValueError(problem)
    # PostgreSQL cannot store NUL in text or JSON. In JSON it is always escaped, but the same six
    # characters after an escaped backslash are plain text.
    if b"\\u0000" in text.replace(b"\\\\", b""):
        raise ValueError("it contains a NUL character")
    raw = decode(text, dict[str, Any])
    return _batch(raw, {"raw": raw, "request_id": request_id, "workspace_id": workspace_id})


def _excess(text: bytes) -> str:
    """Why an item is too large or too complex to be a batch; empty if it is not."""
    if len(text) > LARGEST_BATCH_BYTES:
        return f"it is longer than {LARGEST_BATCH_BYTES:,} bytes"
    if text.count(b"[") + text.count(b"{") > MOST_BRACKETS:
        return f"it contains more than {MOST_BRACKETS} objects and lists"
    return ""


def _batch(raw: dict[str, Any], added: dict[str, Any]) -> RemoteBatch:
    fields = {name: raw[name] for name in _API_FIELDS if name in raw}
    for name in MOMENTS:
        if isinstance(text := fields.get(name), str):
            try:
                fields[name] = moment(text)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    try:
        return msgspec.convert(fields | added, RemoteBatch)
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
    """One page of the list, with unreadable items separate from batches.

    Raises ValueError if it is not a page or has more than `limit` items.
    """
    listed = decode(body, _Listed)
    if len(listed.data) > min(limit, MOST_ITEMS):
        raise ValueError("its page contains more items than requested")
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
    """The value if it is a possible ID, otherwise None."""
    return value if isinstance(value, str) and re.match(ID_FORM, value) else None


def _unreadable(item: msgspec.Raw, *, problem: str) -> UnreadableBatch:
    raw, item_id = None, None
    try:
        item_id = decode(item, _WithId).id
        if not _excess(bytes(item)):
            raw = decode(item, object)
    except ValueError:
        pass
    return UnreadableBatch(id=_usable_id(item_id) or "", problem=printable(problem)[:300], raw=raw)
