"""What tests can change and inspect in the sandbox without calling its API."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from batches.sandbox import life
from batches.sandbox.faults import Faults
from batches.sandbox.file_usage import UsageKey, usage_of
from batches.sandbox.prices import dollars
from batches.sandbox.refusals import unknown_batch
from batches.sandbox.scenes import Scene, staged
from batches.sandbox.world import World


class Controls:
    """Adds and changes batches, orders faults, and reports bills and usage.

    `world` and `faults` are shared with the API's endpoints. `key` and `other_key` are the keys
    of the two workspaces.
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
        """Close the database. The sandbox can't be used afterwards."""
        self.world.store.close()

    def now(self) -> datetime:
        """The sandbox's time, in UTC."""
        return self.world.clock.now()

    def add_batch(
        self, batch_id: str | None = None, *, key: str | None = None, **scene: Any
    ) -> str:
        """Add a batch in any state to the key's workspace and return its ID.

        The other arguments are those of `Scene`, whose defaults make a batch of ten requests that
        was just created. Raises ValueError for an impossible scene or an ID in use.
        """
        wanted = Scene(**scene)
        with self.world.store.transaction():
            new_id = self.world.new_id() if batch_id is None else batch_id
            if self.world.store.get(new_id):
                raise ValueError(f"There already is a batch {new_id}.")
            self.world.add([staged(wanted, new_id, self.keys[key or self.key], self.now())])
        return new_id

    def finish(self, batch_id: str) -> None:
        """End a batch now, with the final counts it would have had."""
        self.world.change(batch_id, lambda batch: life.end_now(batch, self.now()))

    def archive(self, batch_id: str) -> None:
        """Archive a batch's results now, as the API does 29 days after its creation."""
        self.world.change(batch_id, lambda batch: life.archive_now(batch, self.now()))

    def remove(self, batch_id: str) -> None:
        """Delete a batch, as someone could with the API."""
        self.world.remove(batch_id)

    def describe(self, batch_id: str) -> dict[str, Any]:
        """A batch's MessageBatch object. Raises RefusalError if there is no such batch."""
        batch = self.world.store.get(batch_id)
        if batch is None:
            raise unknown_batch(batch_id)
        return batch.describe(self.now(), self.base_url)

    @property
    def batches(self) -> dict[str, dict[str, Any]]:
        """The MessageBatch object of every batch by its ID, in the order added."""
        return {batch_id: self.describe(batch_id) for batch_id in self.world.store.ids()}

    def accepted_cancels(self, batch_id: str) -> int:
        """How often a batch was moved from in_progress to canceling."""
        return self.world.store.accepted_cancels().get(batch_id, 0)

    def billed(self, batch_id: str) -> Decimal:
        """What a batch has cost, in exact US dollars; zero before its end.

        Also for deleted batches. Raises RefusalError if there never was such a batch.
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
        """A batch's usage according to its results file, archived or not.

        For each (model, whether the prompt had more than 100,000 tokens, inference_geo or ""):
        `requests`, the five classes of billed tokens, `thinking_tokens` and `web_searches`. Raises
        RefusalError if there is no such batch or it has not ended.
        """
        batch = self.world.store.get(batch_id)
        if batch is None or batch.status(self.now()) != "ended":
            raise unknown_batch(batch_id)
        return usage_of(self.world.file(batch))

    def fail_next(self, kind: str, times: int = 1, path: str | None = None) -> None:
        """Make the next `times` calls fail, optionally only those whose path contains `path`.

        The kinds are those of `batches.sandbox.faults`. Raises ValueError for an unknown one.
        """
        self.faults.order(kind, times, path)
