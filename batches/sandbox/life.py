"""How a batch lives: from the facts stored about it and the time, everything it shows.

Nothing here ticks. A batch's end and outcome are settled when it is created and once more
when it is canceled; asking at a later moment simply gives a later answer.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from batches.sandbox.chance import Draws

# Documented: a batch expires 24 hours and its results 29 days after its creation.
EXPIRES_AFTER = timedelta(hours=24)
ARCHIVED_AFTER = timedelta(days=29)


class FinalCounts(msgspec.Struct, frozen=True):
    """How many requests end in which way."""

    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """Sum all four."""
        return self.succeeded + self.errored + self.canceled + self.expired


class StoredBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The stored facts about one batch.

    `planned` is what it comes to at `ends_at` if nobody cancels it. A cancel adds the three
    facts that replace them. `invalid` counts requests whose params no model can take.
    `prompt_tokens` is the median prompt, zero for one that is drawn.
    """

    id: str
    workspace: str
    created_at: datetime
    ends_at: datetime
    planned: FinalCounts
    invalid: int = 0
    models: tuple[str, ...] = ()
    prompt_tokens: int = 0
    # True once `requests` rows hold this batch's own custom_ids; else they are generated.
    has_stored_requests: bool = False
    moving_counts: bool = False
    # Some of the results are such as no client has met yet.
    odd_lines: bool = False
    # Names of what its results hold beside the usual; see `quirks`.
    quirks: tuple[str, ...] = ()
    # False: what is left when a cancel comes finishes all the same.
    is_interruptible: bool = True
    cancel_initiated_at: datetime | None = None
    cancel_ends_at: datetime | None = None
    settled: FinalCounts | None = None
    archived_early_at: datetime | None = None

    @property
    def expires_at(self) -> datetime:
        """Tell when what is left expires."""
        return self.created_at + EXPIRES_AFTER

    @property
    def ended_at(self) -> datetime:
        """Tell when processing ends or has ended."""
        return self.cancel_ends_at or self.ends_at

    @property
    def archived_at(self) -> datetime:
        """Tell when the results go or have gone."""
        return self.archived_early_at or self.created_at + ARCHIVED_AFTER

    @property
    def final_counts(self) -> FinalCounts:
        """Tell what the batch comes to in the end, as things stand."""
        return self.settled or self.planned

    def status(self, now: datetime) -> str:
        """Tell the API's `processing_status` at a moment."""
        if now >= self.ended_at:
            return "ended"
        return "canceling" if self.cancel_initiated_at else "in_progress"

    def is_archived(self, now: datetime) -> bool:
        """Tell whether the results are gone."""
        return now >= self.archived_at

    def done(self, now: datetime) -> FinalCounts:
        """Tell how many requests have finished by a moment before the end."""
        now = min(now, self.cancel_initiated_at or now)
        lifetime = self.ends_at - self.created_at
        share = min(1.0, max(0.0, (now - self.created_at) / lifetime)) if lifetime else 1.0
        return FinalCounts(
            succeeded=int(self.planned.succeeded * share),
            # What can't be understood is turned down at once, not at its turn.
            errored=max(self.invalid, int(self.planned.errored * share)),
        )

    def request_counts(self, now: datetime) -> dict[str, int]:
        """Tell the API's five tallies: all in `processing` until the end, as documented.

        With `moving_counts` finished requests show while the batch still runs.
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
        """Return the MessageBatch object, every key present and in the API's order."""
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
    """Return the batch as a cancel at `now` leaves it: canceling, with its end settled.

    Requests that can't be interrupted still finish, so the canceled ones may come to zero;
    a batch that would have ended within `lasting` ends when and as it would have.
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
    """Return the batch as ended at `now`, with the outcome it was heading for."""
    if batch.cancel_initiated_at:
        return msgspec.structs.replace(batch, cancel_ends_at=now)
    return msgspec.structs.replace(batch, ends_at=now)


def archive_now(batch: StoredBatch, now: datetime) -> StoredBatch:
    """Return the batch with its results gone since `now`."""
    return msgspec.structs.replace(batch, archived_early_at=now)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
