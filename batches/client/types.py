"""What the API tells about batches, as values that do not change."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from batches.client.errors import BatchNotFound, printable

ID_FORM = r"\A[A-Za-z0-9_-]{1,200}\Z"
# No true batch comes near this; a larger one would weigh down every page that shows it.
LARGEST_BATCH_BYTES = 65_536
# A true batch has two. SQLite's JSON functions take no more than 1,000 levels.
MOST_BRACKETS = 500
# Databases keep whole numbers in 64 bits.
LARGEST_COUNT = 2**63 - 1
# Wide enough for any batch, and so far from the calendar's ends that reckoning never overflows.
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
    """How many of a batch's requests stand where. Before the end all of them are `processing`."""

    processing: Count
    succeeded: Count
    errored: Count
    canceled: Count
    expired: Count

    @property
    def total(self) -> int:
        """The number of requests in the batch: the API tells it in no other way."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class RemoteBatch(Struct, frozen=True, kw_only=True):
    """One batch as the API described it at one moment; every datetime is in UTC.

    `raw` is the JSON object as it came, unknown fields included, and `request_id` names the
    answer that brought it.
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
    """An item of the list that is no batch we can read. `id` is empty if even that is missing."""

    id: str
    problem: str
    raw: Any


class BatchPage(Struct, frozen=True, kw_only=True):
    """One page of the list, newest first. `pause_seconds` is to be waited before the next call.

    `workspace_id` is what the API calls the key's workspace; empty where it did not say.
    """

    batches: tuple[RemoteBatch, ...]
    unreadable: tuple[UnreadableBatch, ...]
    has_more: bool
    first_id: str | None
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
    first_id: Any = None
    last_id: Any = None


class _Deleted(Struct):
    id: BatchId


# Filled in by us, so an answer's own fields of these names are left where they are: in `raw`.
_OURS = ("raw", "request_id")
_THEIRS = tuple(name for name in RemoteBatch.__struct_fields__ if name not in _OURS)


def possible_id(text: str) -> str:
    """The same text, when a batch could have it as its id.

    Raises BatchNotFound else, so that no hostile text ever becomes part of a path.
    """
    if not re.match(ID_FORM, text):
        raise BatchNotFound(f"no batch can have the id “{printable(text)[:80]}”.")
    return text


def moment(text: str) -> datetime:
    """The moment in UTC that a timestamp of RFC 3339 names, rounded to microseconds.

    A leap second (its section 5.6) counts as the second after it. Raises ValueError, whose
    sentence does not repeat the text: it may be anything, a key that was echoed too.
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
    """JSON from outside as `type`. Raises ValueError for every way in which it can be wrong."""
    try:
        return msgspec.json.decode(body, type=type)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def read_batch(body: bytes | msgspec.Raw, *, request_id: str = "") -> RemoteBatch:
    """The batch that a JSON object describes. Raises ValueError with what is wrong with it."""
    text = bytes(body)
    if len(text) > LARGEST_BATCH_BYTES:
        raise ValueError(f"it is longer than {LARGEST_BATCH_BYTES} bytes")
    if text.count(b"[") + text.count(b"{") > MOST_BRACKETS:
        raise ValueError(f"it holds more than {MOST_BRACKETS} objects and lists")
    # PostgreSQL keeps no NUL in its text or JSON. In JSON it can only come escaped, and after an
    # escaped backslash the same six characters are plain text.
    if b"\\u0000" in text.replace(b"\\\\", b""):
        raise ValueError("it holds a NUL character")
    return _batch(decode(text, dict[str, Any]), request_id)


def _batch(raw: dict[str, Any], request_id: str) -> RemoteBatch:
    fields = {name: raw[name] for name in _THEIRS if name in raw}
    for name in MOMENTS:
        if isinstance(text := fields.get(name), str):
            try:
                fields[name] = moment(text)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
    try:
        batch = msgspec.convert(fields | {"raw": raw, "request_id": request_id}, RemoteBatch)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    if batch.request_counts.total > LARGEST_COUNT:
        raise ValueError("its request counts sum to more than there can be")
    return batch


def read_page(
    body: bytes, *, request_id: str = "", workspace_id: str = "", pause_seconds: float = 0.0
) -> BatchPage:
    """One page of the list, its unreadable items apart. Raises ValueError if it is no page."""
    listed = decode(body, _Listed)
    batches: list[RemoteBatch] = []
    unreadable: list[UnreadableBatch] = []
    for item in listed.data:
        try:
            batches.append(read_batch(item, request_id=request_id))
        except ValueError as error:
            unreadable.append(_unreadable(item, problem=str(error)))
    return BatchPage(
        batches=tuple(batches),
        unreadable=tuple(unreadable),
        has_more=listed.has_more,
        first_id=_usable_id(listed.first_id),
        last_id=_usable_id(listed.last_id),
        request_id=request_id,
        workspace_id=workspace_id,
        pause_seconds=pause_seconds,
        size=len(body),
    )


def _usable_id(value: object) -> str | None:
    """The value as an id that can be asked for, None for any other."""
    return value if isinstance(value, str) and re.match(ID_FORM, value) else None


def _unreadable(item: msgspec.Raw, *, problem: str) -> UnreadableBatch:
    try:
        raw = decode(item, object)
    except ValueError:
        raw = None
    named = raw.get("id") if isinstance(raw, dict) else None
    return UnreadableBatch(id=_usable_id(named) or "", problem=printable(problem)[:300], raw=raw)


def read_deleted(body: bytes) -> str:
    """The id of the batch that was deleted. Raises ValueError if the answer does not say."""
    return decode(body, _Deleted).id
