"""How fast a running batch finishes requests, to estimate how long it may still take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from batches.models import Batch, Observation

# The speed changes, so only this long before the last sync counts.
WINDOW = timedelta(minutes=15)
# Two moments closer together say little about the speed.
SHORTEST = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Throughput:
    """Requests that finished within `span`, which ends when the counts were last known."""

    finished: int
    span: timedelta
    left: int

    @property
    def per_minute(self) -> float:
        return self.finished / (self.span.total_seconds() / 60)

    @property
    def seconds_left(self) -> float | None:
        """Until the rest has finished at the same speed; None if nothing finished."""
        if not self.finished:
            return None
        return self.left / self.finished * self.span.total_seconds()


def throughput(batch: Batch, newest: Sequence[Observation]) -> Throughput | None:
    """The speed within WINDOW, from the batch's newest observations, the newest first.

    None if the batch isn't running, if its counts have never moved, or if they have been known
    for less than SHORTEST. Time in which nothing finished counts.
    """
    if not batch.is_active or not batch.is_tallied:
        return None
    synced = batch.workspace.last_synced_at
    until = max(batch.changed_at, synced) if synced else batch.changed_at
    begin = until - WINDOW
    since, held_until, processing = batch.changed_at, until, batch.processing
    for each in newest:
        if since <= begin:
            break
        since, held_until, processing = each.seen_from, each.seen_until, each.processing
    if since < begin <= held_until:
        # The count still was the same when the window began.
        since = begin
    if until - since < SHORTEST:
        return None
    return Throughput(max(0, processing - batch.processing), until - since, batch.processing)
