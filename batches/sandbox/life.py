"""A batch's life cycle: computes everything about a batch from its stored facts and the time.

There are no timers. A batch's end and final counts are fixed when it is created, and again when it
is canceled. Asking later gives a later state.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from batches.sandbox.chance import Draws

# Documented: a batch expires 24 hours and its results 29 days after its creation.
EXPIRES_AFTER = timedelta(hours=24)
ARCHIVED_AFTER = timedelta(days=29)


class FinalCounts(msgspec.Struct, frozen=True):
    """How many requests end as succeeded, errored, canceled and expired."""

    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """The sum of all four."""
        return self.succeeded + self.errored + self.canceled + self.expired


class StoredBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The stored facts about one batch.

    `planned` are its final counts at `ends_at` unless it is canceled. Canceling it sets
    `cancel_initiated_at`, `cancel_ends_at` and `settled`, which take precedence. `invalid` is the
    number of requests with invalid params. `prompt_tokens` is the median prompt; zero means a
    random one.
    """

    id: str
    workspace: str
    created_at: datetime
    ends_at: datetime
    planned: FinalCounts
    invalid: int = 0
    models: tuple[str, ...] = ()
    prompt_tokens: int = 0
    # True if the `requests` table holds its requests. Otherwise they are generated.
    has_stored_requests: bool = False
    moving_counts: bool = False
    # Some of the results have types that no client knows.
    odd_lines: bool = False
    # Names of unusual features in its results; see `quirks`.
    quirks: tuple[str, ...] = ()
    # False: the remaining requests finish although the batch is canceled.
    is_interruptible: bool = True
    cancel_initiated_at: datetime | None = None
    cancel_ends_at: datetime | None = None
    settled: FinalCounts | None = None
    archived_early_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """When unfinished requests expire."""
        return self.created_at + EXPIRES_AFTER

    @property
    def ended_at(self) -> datetime:
        """When processing ends or ended."""
        return self.cancel_ends_at or self.ends_at

    @property
    def archived_at(self) -> datetime:
        """When the results are or were archived."""
        return self.archived_early_at or self.created_at + ARCHIVED_AFTER

    @property
    def final_counts(self) -> FinalCounts:
        """The request counts with which the batch ends."""
        return self.settled or self.planned

    def status(self, now: datetime) -> str:
        """The API's `processing_status` at `now`."""
        if now >= self.ended_at:
            return "ended"
        return "canceling" if self.cancel_initiated_at else "in_progress"

    def is_archived(self, now: datetime) -> bool:
        """Whether the results are no longer available."""
        return now >= self.archived_at

    def done(self, now: datetime) -> FinalCounts:
        """How many requests have finished at `now`, before the end."""
        now = min(now, self.cancel_initiated_at or now)
        lifetime = self.ends_at - self.created_at
        share = min(1.0, max(0.0, (now - self.created_at) / lifetime)) if lifetime else 1.0
        return FinalCounts(
            succeeded=int(self.planned.succeeded * share),
            # Invalid requests fail immediately, not in their turn.
            errored=max(self.invalid, int(self.planned.errored * share)),
        )

    def request_counts(self, now: datetime) -> dict[str, int]:
        """The API's five request counts: all `processing` until the end, as documented.

        With `moving_counts`, finished requests are counted while the batch still runs.
        """
        if self.status(now) == "ended":
            shown = self.final_counts
        else:
            shown = self.done(now) if self.moving_counts else FinalCounts()
        return {
            "processing": self.planned.total - shown.total,
            "succeeded": shown.succeeded,
            "errored": shown.errored,
            "canceled": shown.canceled,
            "expired": shown.expired,
        }

    def describe(self, now: datetime, base_url: str) -> dict[str, Any]:
        """The MessageBatch object with every key, in the API's order."""
        status = self.status(now)
        has_ended = status == "ended"
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": self.request_counts(now),
            "ended_at": _stamp(self.ended_at) if has_ended else None,
            "created_at": _stamp(self.created_at),
            "expires_at": _stamp(self.expires_at),
            "archived_at": _stamp(self.archived_at) if self.is_archived(now) else None,
            "cancel_initiated_at": (
                _stamp(self.cancel_initiated_at) if self.cancel_initiated_at else None
            ),
            "results_url": (
                f"{base_url}/v1/messages/batches/{self.id}/results" if has_ended else None
            ),
        }


def cancel(batch: StoredBatch, now: datetime, lasting: timedelta, draws: Draws) -> StoredBatch:
    """The batch after a cancel at `now`: canceling for at most `lasting`, with its end fixed.

    Requests that can't be interrupted still finish, so possibly none is canceled. A batch that
    would have ended within `lasting` ends when and how it would have without the cancel.
    """
    done = batch.done(now)
    left = batch.planned.total - done.total
    if now + lasting >= batch.ends_at:
        settled = batch.planned
    elif batch.is_interruptible:
        late = int(left * draws.between(0, 0.1))
        settled = FinalCounts(
            succeeded=done.succeeded + late, errored=done.errored, canceled=left - late
        )
    else:
        settled = FinalCounts(succeeded=done.succeeded + left, errored=done.errored)
    return msgspec.structs.replace(
        batch,
        cancel_initiated_at=now,
        cancel_ends_at=min(now + lasting, batch.ends_at),
        settled=settled,
    )


def end_now(batch: StoredBatch, now: datetime) -> StoredBatch:
    """The batch ended at `now`, with the final counts it would have had."""
    if batch.cancel_initiated_at:
        return msgspec.structs.replace(batch, cancel_ends_at=now)
    return msgspec.structs.replace(batch, ends_at=now)


def archive_now(batch: StoredBatch, now: datetime) -> StoredBatch:
    """The batch with its results archived at `now`."""
    return msgspec.structs.replace(batch, archived_early_at=now)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
