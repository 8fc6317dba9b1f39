"""The API's values in its own words (api.md: MessageBatch), read with distrust."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

# Wider than today's `msgbatch_` + 24 characters, which may change, and safe inside a path.
BATCH_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")

# What a signed 64-bit column holds.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_.\-]+$")]


class RequestCounts(msgspec.Struct, frozen=True):
    """Requests by how they stand; the five always sum to the batch's requests."""

    processing: Count
    succeeded: Count
    errored: Count
    canceled: Count
    expired: Count

    @property
    def total(self) -> int:
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class RemoteBatch(msgspec.Struct, frozen=True, kw_only=True):
    """One batch as the API described it at one moment. Moments are in UTC.

    `processing_status` is a plain string: the API may add a word before we do. `raw` is the
    JSON as it came, `request_id` that of the answer that brought it.
    """

    id: Annotated[str, msgspec.Meta(pattern=rf"^{BATCH_ID.pattern}$")]
    processing_status: Word
    request_counts: RequestCounts
    created_at: Moment
    expires_at: Moment
    type: str = "message_batch"
    ended_at: Moment | None = None
    cancel_initiated_at: Moment | None = None
    archived_at: Moment | None = None
    results_url: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    raw: dict[str, Any] = {}
    request_id: str = ""


class UnreadableBatch(msgspec.Struct, frozen=True):
    """An item of the list that isn't a batch as we know it; `id` is empty if that is odd too."""

    id: str
    problem: str
    raw: Any


class BatchPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the list, newest first.

    `has_more` speaks of the direction that was asked for; `pause_seconds` is how long the
    API's own headers ask to wait before the next call, 0 when they don't.
    """

    batches: tuple[RemoteBatch, ...]
    unreadable: tuple[UnreadableBatch, ...] = ()
    has_more: bool
    first_id: str | None = None
    last_id: str | None = None
    request_id: str = ""
    pause_seconds: float = 0.0


MOMENTS = ("created_at", "expires_at", "ended_at", "cancel_initiated_at", "archived_at")


def read_batch(raw: Any, request_id: str = "") -> RemoteBatch:
    """The batch that a JSON value describes. Raises ValueError, saying what is wrong where."""
    if not isinstance(raw, dict):
        raise ValueError("A batch is not an object.")  # noqa: TRY004
    known = {name: raw[name] for name in RemoteBatch.__struct_fields__ if name in raw}
    known |= {name: _rfc3339(known[name]) for name in MOMENTS if known.get(name) is not None}
    batch = msgspec.convert({**known, "raw": raw, "request_id": request_id}, RemoteBatch)
    if batch.request_counts.total > 2**63 - 1:
        raise ValueError("The request counts sum to more than there can be.")
    if "\\u0000" in msgspec.json.encode(raw).decode():
        # PostgreSQL's JSON takes no NUL; nothing the API says of a batch has one.
        raise ValueError("A NUL character stands in the batch.")
    return batch


def _rfc3339(value: Any) -> datetime:
    """In UTC. Raises ValueError for what has no zone or is no moment."""
    if not isinstance(value, str):
        raise ValueError("A moment is not a string.")  # noqa: TRY004
    # RFC 3339 allows lower-case letters and a blank between date and time.
    moment = msgspec.convert(value.strip().upper().replace(" ", "T", 1), datetime)
    if moment.tzinfo is None:
        raise ValueError(f"The moment {value[:40]!r} has no zone.")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"The moment {value[:40]!r} is outside the calendar.") from error


def read_page(raw: Any, *, request_id: str = "", pause_seconds: float = 0.0) -> BatchPage:
    """The page that a JSON value describes; one odd item never hides the others.

    Raises ValueError when the envelope itself is not a page.
    """
    envelope = msgspec.convert(raw, _Envelope)
    batches, unreadable = [], []
    for item in envelope.data:
        try:
            batches.append(read_batch(item))
        except ValueError as error:
            unreadable.append(UnreadableBatch(_id_of(item), str(error)[:300], item))
    return BatchPage(
        batches=tuple(batches),
        unreadable=tuple(unreadable),
        has_more=envelope.has_more,
        first_id=envelope.first_id,
        last_id=envelope.last_id,
        request_id=request_id,
        pause_seconds=pause_seconds,
    )


class _Envelope(msgspec.Struct):
    data: list[Any]
    has_more: bool = False
    first_id: str | None = None
    last_id: Annotated[str, msgspec.Meta(max_length=200)] | None = None


def _id_of(item: Any) -> str:
    batch_id = item.get("id") if isinstance(item, dict) else None
    return batch_id if isinstance(batch_id, str) and BATCH_ID.fullmatch(batch_id) else ""
