"""What each ended batch is billed: its results file, priced line by line, once and for good."""

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
    """How long what was written to the cache stays there, in tokens."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class Tools(msgspec.Struct):
    """What the server's tools were used for; only searches cost anything by the piece."""

    web_search_requests: int | None = None


class BilledPass(msgspec.Struct, kw_only=True):
    """One pass of a model; whatever is missing or null counts as none."""

    type: str = "message"
    model: str | None = None
    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: Lifetimes | None = None

    def used(self, geo: str) -> Used:
        """Return its tokens; cache writes of no stated lifetime stay five minutes."""
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
    """A message's usage: its own figures, and the passes behind them where they are listed."""

    server_tool_use: Tools | None = None
    inference_geo: str | None = None
    service_tier: str | None = None
    speed: str | None = None
    iterations: list[BilledPass] | None = None
    # Of a kind that no client knows yet; they cost what input does.
    memory_input_tokens: int = 0

    @property
    def tier(self) -> str:
        """Name the tier at which the request ran."""
        return "fast" if self.speed == "fast" else self.service_tier or "batch"

    def paid(self, model: str) -> Iterator[tuple[str, Used]]:
        """Yield what is to be paid for, pass by pass, each with its model.

        Each pass has a prompt of its own, and so a price of its own. Where they are not listed
        the request counts as one.
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
    """A succeeded request's message, as far as a bill needs it."""

    model: str
    usage: BilledUsage


class BilledResult(msgspec.Struct):
    """One request's result; there is a message to pay for only when it succeeded."""

    type: str
    message: BilledMessage | None = None


class BilledLine(msgspec.Struct):
    """One line of a results file."""

    result: BilledResult


_decode_lines = msgspec.json.Decoder(BilledLine).decode_lines


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
        # Otherwise two calls for the cost report would generate the same files in parallel.
        with self._settling:
            for batch in self._store.unbilled():
                self.bill(batch)

    def bill(self, batch: StoredBatch) -> None:
        """Bill one batch, unless it was billed before or has not ended."""
        if batch.status(self._clock.now()) != "ended" or self._store.is_billed(batch.id):
            return
        try:
            charges = charged(results_file(batch, self._store.requests(batch.id), self._seed))
        except ConnectionAbortedError:
            # It was deleted meanwhile, and billed by whoever did it.
            return
        self._store.add_bill(batch.id, charges)


def charged(blocks: Iterable[bytes]) -> tuple[ModelCharge, ...]:
    """Add up what a results file costs, by model and tier; each request counts with its own."""
    sums: dict[tuple[str, str], ModelCharge] = {}
    for block in blocks:
        # Half a character, which this reader refuses, costs nothing.
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
