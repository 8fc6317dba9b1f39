"""What each ended batch is billed: its results file, priced line by line, once and for good."""

import threading
from collections.abc import Iterable
from typing import Any

import msgspec

from batches.sandbox.clock import SandboxClock
from batches.sandbox.life import Batch
from batches.sandbox.prices import Used, cost
from batches.sandbox.results import results_file
from batches.sandbox.store import Charge, Store


class Lifetimes(msgspec.Struct):
    """How long what was written to the cache stays there, in tokens."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class Tools(msgspec.Struct):
    """What the server's tools were used for; only searches cost anything by the piece."""

    web_search_requests: int | None = None


class Usage(msgspec.Struct):
    """A message's usage; whatever is missing or null counts as none."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: Lifetimes | None = None
    server_tool_use: Tools | None = None
    inference_geo: str | None = None

    def used(self) -> Used:
        """Return what is to be paid for; cache writes of no stated lifetime stay five minutes."""
        lifetimes, tools = self.cache_creation, self.server_tool_use
        if lifetimes is None:
            lifetimes = Lifetimes(ephemeral_5m_input_tokens=self.cache_creation_input_tokens)
        return Used(
            input=self.input_tokens,
            output=self.output_tokens,
            cache_write_5m=lifetimes.ephemeral_5m_input_tokens or 0,
            cache_write_1h=lifetimes.ephemeral_1h_input_tokens or 0,
            cache_read=self.cache_read_input_tokens or 0,
            web_searches=(tools.web_search_requests or 0) if tools else 0,
            geo=self.inference_geo or "",
        )


class Message(msgspec.Struct):
    """A succeeded request's message, as far as a bill needs it."""

    model: str
    usage: Usage


class Result(msgspec.Struct):
    """One request's result; there is a message to pay for only when it succeeded."""

    type: str
    message: Message | None = None


class Line(msgspec.Struct):
    """One line of a results file."""

    result: Result


_decode_lines = msgspec.json.Decoder(Line).decode_lines


class Ledger:
    """Bills batches that have ended, each once; what was billed outlives the batch.

    Pricing a batch means generating its whole results file, up to seconds of work. The store
    is never held meanwhile: other calls go on.
    """

    def __init__(self, store: Store, clock: SandboxClock, seed: int) -> None:
        self._store = store
        self._clock = clock
        self._seed = seed
        self._settling = threading.Lock()

    def settle(self) -> None:
        """Bill every batch that has ended by now and was not billed before."""
        # Two reports at once would else generate the same files side by side.
        with self._settling:
            for batch in self._store.unbilled():
                self.bill(batch)

    def bill(self, batch: Batch) -> None:
        """Bill one batch, unless it was billed before or has not ended."""
        if batch.status(self._clock.now()) != "ended" or self._store.is_billed(batch.id):
            return
        try:
            charges = charged(results_file(batch, self._store.requests(batch.id), self._seed))
        except ConnectionAbortedError:
            # It was deleted meanwhile, and billed by whoever did it.
            return
        self._store.add_bill(batch.id, charges)


def charged(blocks: Iterable[bytes]) -> tuple[Charge, ...]:
    """Add up what a results file costs, by model."""
    sums: dict[str, Any] = {}
    for block in blocks:
        for line in _decode_lines(block):
            message = line.result.message
            if line.result.type != "succeeded" or message is None:
                continue
            amount, list_amount = cost(message.model, message.usage.used())
            before = sums.get(message.model, (0, 0, 0))
            sums[message.model] = (before[0] + amount, before[1] + list_amount, before[2] + 1)
    return tuple(Charge(model, *figures) for model, figures in sorted(sums.items()))
