"""Bills each ended batch once, by pricing its results file line by line."""

import threading
from collections.abc import Iterable, Iterator

import msgspec

from batches.sandbox.clock import SandboxClock
from batches.sandbox.life import StoredBatch
from batches.sandbox.prices import Used, cost
from batches.sandbox.quirks import ESCAPED_HALF
from batches.sandbox.results_file import results_file
from batches.sandbox.store import ModelCharge, Store


class Lifetimes(msgspec.Struct):
    """Tokens written to the cache, by how long they stay there."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class Tools(msgspec.Struct):
    """How often server tools were used. Only web searches are billed per use."""

    web_search_requests: int | None = None


class BilledPass(msgspec.Struct, kw_only=True):
    """One pass of a model. Missing or null figures count as zero."""

    type: str = "message"
    model: str | None = None
    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: Lifetimes | None = None

    def used(self, geo: str) -> Used:
        """The tokens used. Cache writes without a stated lifetime count as five-minute ones."""
        lifetimes = self.cache_creation
        if lifetimes is None:
            lifetimes = Lifetimes(ephemeral_5m_input_tokens=self.cache_creation_input_tokens)
        return Used(
            input=self.input_tokens,
            output=self.output_tokens,
            cache_write_5m=lifetimes.ephemeral_5m_input_tokens or 0,
            cache_write_1h=lifetimes.ephemeral_1h_input_tokens or 0,
            cache_read=self.cache_read_input_tokens or 0,
            geo=geo,
        )


class BilledUsage(BilledPass, kw_only=True):
    """A message's usage: its totals and, if listed, the passes behind them."""

    server_tool_use: Tools | None = None
    inference_geo: str | None = None
    service_tier: str | None = None
    speed: str | None = None
    iterations: list[BilledPass] | None = None
    # A future kind of tokens that no client knows. They cost the same as input.
    memory_input_tokens: int = 0

    @property
    def tier(self) -> str:
        """The tier at which the request ran."""
        return "fast" if self.speed == "fast" else self.service_tier or "batch"

    def paid(self, model: str) -> Iterator[tuple[str, Used]]:
        """What is billed for each pass, with the pass's model.

        Each pass has its own prompt and so its own price. A request that lists no passes counts as
        one.
        """
        tools = self.server_tool_use
        geo = self.inference_geo or ""
        for step in self.iterations or [self]:
            yield step.model or model, step.used(geo)
        yield (
            model,
            Used(
                input=self.memory_input_tokens,
                web_searches=(tools.web_search_requests or 0) if tools else 0,
                geo=geo,
            ),
        )


class BilledMessage(msgspec.Struct):
    """The part of a succeeded request's message that matters for billing."""

    model: str
    usage: BilledUsage


class BilledResult(msgspec.Struct):
    """One request's result. Only a succeeded one has a message to bill."""

    type: str
    message: BilledMessage | None = None


class BilledLine(msgspec.Struct):
    """One line of a results file."""

    result: BilledResult


_decode_lines = msgspec.json.Decoder(BilledLine).decode_lines


class Ledger:
    """Bills ended batches, each once. Bills stay when the batch is deleted.

    Pricing a batch generates its whole results file, which can take seconds. The store is not
    locked meanwhile.
    """

    def __init__(self, store: Store, clock: SandboxClock, seed: int) -> None:
        self._store = store
        self._clock = clock
        self._seed = seed
        self._settling = threading.Lock()

    def settle(self) -> None:
        """Bill every ended batch that has no bill yet."""
        # Otherwise two calls for the cost report would generate the same files in parallel.
        with self._settling:
            for batch in self._store.unbilled():
                self.bill(batch)

    def bill(self, batch: StoredBatch) -> None:
        """Bill one batch, unless it already has a bill or has not ended."""
        if batch.status(self._clock.now()) != "ended" or self._store.is_billed(batch.id):
            return
        try:
            charges = charged(results_file(batch, self._store.requests(batch.id), self._seed))
        except ConnectionAbortedError:
            # It was deleted meanwhile, and deleting bills it.
            return
        self._store.add_bill(batch.id, charges)


def charged(blocks: Iterable[bytes]) -> tuple[ModelCharge, ...]:
    """What a results file costs, by model and tier. A request counts under its message's model."""
    sums: dict[tuple[str, str], ModelCharge] = {}
    for block in blocks:
        # msgspec refuses half a surrogate pair, which costs nothing.
        for line in _decode_lines(block.replace(ESCAPED_HALF, b"")):
            message = line.result.message
            if line.result.type != "succeeded" or message is None:
                continue
            tier, requests = message.usage.tier, 1
            for model, used in message.usage.paid(message.model):
                amount, list_amount = cost(model, used, tier)
                before = sums.get((model, tier), ModelCharge(model, 0, 0, 0, tier))
                sums[model, tier] = ModelCharge(
                    model,
                    before.amount + amount,
                    before.list_amount + list_amount,
                    before.requests + requests,
                    tier,
                )
                requests = 0
    return tuple(charge for _, charge in sorted(sums.items()))
