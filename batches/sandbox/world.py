"""The sandbox's batches, and the rules for creating, canceling and deleting them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec

from batches.sandbox import life
from batches.sandbox.billing import Ledger
from batches.sandbox.chance import Draws, Shuffle
from batches.sandbox.clock import SandboxClock
from batches.sandbox.life import StoredBatch
from batches.sandbox.planning import plan
from batches.sandbox.quirks import checked
from batches.sandbox.refusals import RefusalError, unknown_batch
from batches.sandbox.results_file import results_file
from batches.sandbox.store import Store, StoredRequest
from batches.sandbox.validation import Request


class Page(NamedTuple):
    """One page of a list, newest first. `has_more` refers to the direction of paging."""

    batches: list[StoredBatch]
    has_more: bool


class World:
    """The batches of all workspaces, as the API's endpoints see and change them.

    Another workspace's batch is a 404. `canceling_seconds` is how long `canceling` takes, as a
    range in the sandbox's time. The `ledger` keeps the bills of deleted batches.
    """

    def __init__(
        self,
        store: Store,
        clock: SandboxClock,
        *,
        seed: int,
        moving_counts: frozenset[str] = frozenset(),
        odd_lines: bool = False,
        quirks: tuple[str, ...] = (),
        canceling_seconds: tuple[float, float] = (25, 60),
        cancel_of_ended: int = 400,
        second_cancel: int = 200,
    ) -> None:
        self.store = store
        self.clock = clock
        self.seed = seed
        self.ledger = Ledger(store, clock, seed)
        self.moving_counts = moving_counts
        self.odd_lines = odd_lines
        self.quirks = checked(quirks)
        self.canceling_seconds = canceling_seconds
        self.cancel_of_ended = cancel_of_ended
        self.second_cancel = second_cancel

    def create(self, workspace: str, requests: Sequence[Request]) -> StoredBatch:
        """Add a batch with these requests, in progress from now on."""
        with self.store.transaction():
            batch_id = self.new_id()
            now = self.clock.now()
            invalid = sum(1 for request in requests if request.problem)
            planned = plan(now, len(requests), invalid, Draws(self.seed, batch_id, "plan"))
            batch = StoredBatch(
                id=batch_id,
                workspace=workspace,
                created_at=now,
                ends_at=planned.ends_at,
                planned=planned.counts,
                is_interruptible=planned.is_interruptible,
                invalid=invalid,
                has_stored_requests=True,
            )
            self.add([batch])
            self.store.add_requests(batch_id, self._placed(batch, requests))
        return batch

    def add(self, batches: Iterable[StoredBatch]) -> None:
        """Add batches, with the world's settings for moving counts, odd lines and quirks."""
        self.store.add(
            msgspec.structs.replace(
                batch,
                moving_counts=batch.moving_counts or batch.workspace in self.moving_counts,
                odd_lines=batch.odd_lines or self.odd_lines,
                quirks=tuple(dict.fromkeys((*batch.quirks, *self.quirks))),
            )
            for batch in batches
        )

    def new_id(self) -> str:
        """An ID that no batch has had. The same seed gives the same IDs in the same order."""
        return f"msgbatch_01{Draws(self.seed, 'id', self.store.count()).word(22)}"

    def _placed(self, batch: StoredBatch, requests: Sequence[Request]) -> dict[int, StoredRequest]:
        """The requests with their ranks, by their positions in the results file."""
        order = Shuffle(len(requests), self.seed, batch.id, "order")
        valid_ranks = Shuffle(len(requests) - batch.invalid, self.seed, batch.id, "ranks")
        placed: dict[int, StoredRequest] = {}
        invalid = 0
        for at, request in enumerate(requests):
            if request.problem:
                rank = invalid
                invalid += 1
            else:
                rank = batch.invalid + valid_ranks[at - invalid]
            placed[order[at]] = StoredRequest(
                request.custom_id, rank, request.model, request.error_type, request.problem
            )
        return placed

    def find(self, workspace: str, batch_id: str) -> StoredBatch:
        """The workspace's batch with this ID. Raises RefusalError (404) if there is none."""
        batch = self.store.get(batch_id)
        if batch is None or batch.workspace != workspace:
            raise unknown_batch(batch_id)
        return batch

    def page(self, workspace: str, limit: int, *, after_id: str = "", before_id: str = "") -> Page:
        """A page of the workspace's batches, newest first.

        `after_id` selects batches older than that one, `before_id` newer ones. Raises RefusalError
        (400) for a cursor that is not a batch of this workspace.
        """
        with self.store.transaction():
            for name, cursor in (("after_id", after_id), ("before_id", before_id)):
                if cursor and not self.has(workspace, cursor):
                    raise RefusalError(400, f"{name}: Message Batch {cursor} not found.")
            # One more than the limit shows whether there are more.
            if before_id:
                found = self.store.newer(workspace, before_id, limit + 1)
                return Page(found[:limit][::-1], len(found) > limit)
            if after_id:
                found = self.store.older(workspace, after_id, limit + 1)
            else:
                found = self.store.newest(workspace, limit + 1)
            return Page(found[:limit], len(found) > limit)

    def has(self, workspace: str, batch_id: str) -> bool:
        """Whether the workspace has a batch with this ID."""
        batch = self.store.get(batch_id)
        return batch is not None and batch.workspace == workspace

    def cancel(self, workspace: str, batch_id: str) -> StoredBatch:
        """Move a batch from in_progress to canceling.

        The API's answer for the other two states is not documented, so it can be set:
        `second_cancel` and `cancel_of_ended` are HTTP statuses. With 200 the batch is unchanged.
        """
        with self.store.transaction():
            batch = self.find(workspace, batch_id)
            now = self.clock.now()
            status = batch.status(now)
            if status == "in_progress":
                return self._accept_cancel(batch)
            answer = self.second_cancel if status == "canceling" else self.cancel_of_ended
            if answer == 404:
                raise unknown_batch(batch_id)
            if answer != 200:
                problem = "is already canceling" if status == "canceling" else "has already ended"
                raise RefusalError(answer, f"Message Batch {batch_id} {problem}.")
            return batch

    def _accept_cancel(self, batch: StoredBatch) -> StoredBatch:
        draws = Draws(self.seed, batch.id, "cancel")
        now = self.clock.now()
        lasting = timedelta(seconds=draws.between(*self.canceling_seconds))
        canceling = life.cancel(batch, now, lasting, draws)
        self.store.replace(canceling)
        self.store.record_cancel(batch.id, now)
        return canceling

    def delete(self, workspace: str, batch_id: str) -> None:
        """Delete an ended batch. Raises RefusalError (400) for one that has not ended."""
        # Before the transaction, as pricing a large file takes seconds and would block other calls.
        self.ledger.bill(self.find(workspace, batch_id))
        with self.store.transaction():
            batch = self.find(workspace, batch_id)
            if batch.status(self.clock.now()) != "ended":
                raise RefusalError(
                    400,
                    "In progress batches cannot be deleted. Consider canceling the batch instead.",
                )
            self.store.remove(batch_id)

    def remove(self, batch_id: str) -> None:
        """Delete a batch of any workspace, but keep its bill."""
        batch = self.store.get(batch_id)
        if batch:
            self.ledger.bill(batch)
            self.store.remove(batch_id)

    def results(self, workspace: str, batch_id: str) -> Iterator[bytes]:
        """The results file as a stream of blocks.

        Raises RefusalError (404 with `x-should-retry: false`) before the batch ends and after its
        results are archived.
        """
        batch = self.find(workspace, batch_id)
        now = self.clock.now()
        if batch.status(now) != "ended" or batch.is_archived(now):
            raise RefusalError(
                404,
                f"Message Batch {batch_id} has no available results.",
                headers={"x-should-retry": "false"},
            )
        return self.file(batch)

    def file(self, batch: StoredBatch) -> Iterator[bytes]:
        """The results file of an ended batch, archived or not, as a stream of blocks."""
        return results_file(batch, self.store.requests(batch.id), self.seed)

    def change(self, batch_id: str, change: Callable[[StoredBatch], StoredBatch]) -> StoredBatch:
        """Change a batch of any workspace. Raises RefusalError (404) if there is none."""
        with self.store.transaction():
            batch = self.store.get(batch_id)
            if batch is None:
                raise unknown_batch(batch_id)
            changed = change(batch)
            self.store.replace(changed)
        return changed
