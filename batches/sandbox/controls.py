"""What tests may do to the imitation behind the API's back, and what they may look at."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from batches.sandbox import life
from batches.sandbox.faults import Faults
from batches.sandbox.file_usage import UsageKey, usage_of
from batches.sandbox.life import StoredBatch
from batches.sandbox.prices import dollars
from batches.sandbox.refusals import unknown_batch
from batches.sandbox.scenes import Scene, staged
from batches.sandbox.world import World


class Controls:
    """The wings of the imitation: set a scene, arrange the next fault, look behind it.

    `world` and `faults` are what the API's side works with; `key` and `other_key` are the
    keys of the two workspaces.
    """

    def __init__(
        self, world: World, faults: Faults, keys: Mapping[str, str], base_url: str
    ) -> None:
        self.world = world
        self.faults = faults
        self.keys = dict(keys)
        self.base_url = base_url
        self.key, *others = keys
        self.other_key = others[0] if others else self.key

    def close(self) -> None:
        """Close the state; nothing works afterwards."""
        self.world.store.close()

    def now(self) -> datetime:
        """Tell the sandbox's time, in UTC."""
        return self.world.clock.now()

    def add_batch(
        self,
        batch_id: str | None = None,
        *,
        key: str | None = None,
        requests: int | None = None,
        status: str = "in_progress",
        created_at: datetime | None = None,
        duration: timedelta | None = None,
        succeeded: int | None = None,
        errored: int | None = None,
        canceled: int | None = None,
        expired: int | None = None,
        cancel_initiated_at: datetime | None = None,
        canceling_for: timedelta = timedelta(seconds=40),
        moving_counts: bool = False,
        interruptible: bool = True,
        models: Sequence[str] = (),
        prompt_tokens: int = 0,
        odd_lines: bool = False,
        quirks: Sequence[str] = (),
    ) -> str:
        """Add a batch in any state to the key's workspace and return its id.

        What is left out is usual: ten requests, all succeeding; one in progress began now and
        runs for an hour, one that has ended ran half an hour and began an hour ago (requests
        that expired: a day). `duration` is the time to the natural end. The four tallies are
        final ones; `succeeded` fills up to `requests`. `cancel_initiated_at` makes an ended
        batch one that was canceled, be it too late. One that is not `interruptible` comes to
        zero canceled. `prompt_tokens` is the median prompt, without the few very long ones that
        a batch else has. With `odd_lines`, of each ten results one is of the type `withheld`
        (a tally counts it as succeeded) or, where it errored, nested in a way of its own, and
        one of the ten does not say how long its cache writes stay. `quirks` are names of
        `batches.sandbox.quirks`, such as "passes" or "fast": each concerns a tenth of the
        succeeded requests. Raises ValueError for what can't be, or an id already taken.
        """
        scene = Scene(
            status=status,
            requests=requests,
            created_at=created_at,
            duration=duration,
            succeeded=succeeded,
            errored=errored,
            canceled=canceled,
            expired=expired,
            cancel_initiated_at=cancel_initiated_at,
            canceling_for=canceling_for,
            moving_counts=moving_counts,
            is_interruptible=interruptible,
            models=models,
            prompt_tokens=prompt_tokens,
            odd_lines=odd_lines,
            quirks=quirks,
        )
        with self.world.store.transaction():
            new_id = self.world.new_id() if batch_id is None else batch_id
            if self.world.store.get(new_id):
                raise ValueError(f"There is a batch {new_id} already.")
            self.world.add([staged(scene, new_id, self.keys[key or self.key], self.now())])
        return new_id

    def finish(self, batch_id: str) -> None:
        """End a batch now, with the outcome it is heading for."""
        self.world.change(batch_id, lambda batch: life.end_now(batch, self.now()))

    def archive(self, batch_id: str) -> None:
        """Throw a batch's results away now, as the API does 29 days after its creation."""
        self.world.change(batch_id, lambda batch: life.archive_now(batch, self.now()))

    def remove(self, batch_id: str) -> None:
        """Make a batch gone, as though someone had deleted it by the API."""
        self.world.remove(batch_id)

    def describe(self, batch_id: str) -> dict[str, Any]:
        """Return a batch's MessageBatch object; raises RefusalError if there is none."""
        batch: StoredBatch | None = self.world.store.get(batch_id)
        if batch is None:
            raise unknown_batch(batch_id)
        return batch.describe(self.now(), self.base_url)

    @property
    def batches(self) -> dict[str, dict[str, Any]]:
        """Every batch of every workspace: id to MessageBatch object, in the order added."""
        return {batch_id: self.describe(batch_id) for batch_id in self.world.store.ids()}

    def accepted_cancels(self, batch_id: str) -> int:
        """Tell how often a batch was moved from in_progress to canceling."""
        return self.world.store.accepted_cancels().get(batch_id, 0)

    def billed(self, batch_id: str) -> Decimal:
        """Tell exactly how many US dollars a batch has cost: none before its end.

        One that was deleted has cost what it had. Raises RefusalError if there never was one.
        """
        batch = self.world.store.get(batch_id)
        if batch and batch.status(self.now()) != "ended":
            return Decimal(0)
        if batch:
            self.world.ledger.bill(batch)
        charges = self.world.store.charges(batch_id)
        if charges is None:
            raise unknown_batch(batch_id)
        return dollars(sum(charge.amount for charge in charges))

    def usage(self, batch_id: str) -> dict[UsageKey, dict[str, int]]:
        """Sum a batch's results file, archived or not, in the plainest way.

        By (model, whether the prompt was longer than 100,000 tokens, inference_geo or "") it
        tells `requests`, the five classes of tokens that are billed, `thinking_tokens` and
        `web_searches`. Raises RefusalError if there is no such batch, or not ended.
        """
        batch = self.world.store.get(batch_id)
        if batch is None or batch.status(self.now()) != "ended":
            raise unknown_batch(batch_id)
        return usage_of(self.world.file(batch))

    def fail_next(self, kind: str, times: int = 1, path: str | None = None) -> None:
        """Have the next `times` calls, of those whose path contains `path`, fail.

        The kinds are those of `batches.sandbox.faults`; raises ValueError for another one.
        """
        self.faults.order(kind, times, path)
