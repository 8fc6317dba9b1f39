"""Generates a batch's results file line by line from the batch's facts and the seed."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from batches.sandbox.chance import Draws, Shuffle
from batches.sandbox.life import StoredBatch
from batches.sandbox.messages import MODELS, habits, message
from batches.sandbox.quirks import ESCAPED_HALF, HALF, apply, long_text
from batches.sandbox.store import StoredRequest

BLOCK_BYTES = 64 * 1024
# With odd lines, one request in ten has a result of an unknown type or an error that is nested
# differently, and one cache write in ten doesn't say how long it stays.
ODD_EVERY = 10
PREFIXES = ("req", "eval", "summary", "label", "translate", "review-ticket")

# Errors of requests with valid params, including a type that the API does not have yet.
ERRORS = (
    ("api_error", "Internal server error"),
    ("api_error", "Internal server error"),
    ("overloaded_error", "Overloaded"),
    ("timeout_error", "Request timed out"),
    ("invalid_request_error", "prompt is too long: 218311 tokens > 200000 maximum"),
    ("invalid_request_error", "messages.0.content.1.image.source.base64: invalid image\u2028data"),
    ("request_too_large", "Request exceeds the maximum size"),
    ("permission_error", "Your API key does not have permission to use the specified model."),
    ("content_policy_error", "A kind of error that clients have not met before."),
)
ODD_ERRORS: tuple[Any, ...] = (
    {"type": "overloaded_error", "message": "Overloaded"},
    {"type": "error", "errors": [{"code": "E17", "title": "Of another shape"}]},
    "an error in words alone",
    None,
)


def results_file(batch: StoredBatch, stored: Iterable[StoredRequest], seed: int) -> Iterator[bytes]:
    """The results file of an ended batch in blocks of whole lines.

    Its lines add up to the batch's final counts and are not in the order of the requests. Memory
    use does not grow with the batch. Raises ConnectionAbortedError if the stored requests end too
    early because the batch was deleted meanwhile.
    """
    block: list[bytes] = []
    size = written = 0
    lines = LineWriter(batch, seed)
    for request in stored if batch.has_stored_requests else generated_requests(batch, seed):
        line = lines.line(request)
        block.append(line)
        size += len(line)
        written += 1
        if size >= BLOCK_BYTES:
            yield b"".join(block)
            block.clear()
            size = 0
    if block:
        yield b"".join(block)
    if written < batch.final_counts.total:
        raise ConnectionAbortedError(f"{batch.id} was deleted while its results were read.")


def generated_requests(batch: StoredBatch, seed: int) -> Iterator[StoredRequest]:
    """The requests of a batch that has no stored ones, in the order of its results file."""
    total = batch.final_counts.total
    prefix = Draws(seed, batch.id, "prefix").pick(PREFIXES)
    order = Shuffle(total, seed, batch.id, "order")
    ranks = Shuffle(total, seed, batch.id, "ranks")
    for position in range(total):
        index = order[position]
        yield StoredRequest(custom_id=f"{prefix}-{index:06d}", rank=ranks[index])


class LineWriter:
    """Writes the lines of one batch. What its requests have in common is drawn once."""

    def __init__(self, batch: StoredBatch, seed: int) -> None:
        self._seed = seed
        self._batch = batch
        self._models = batch.models or _usual_models(Draws(seed, batch.id, "models"))
        self._habits = habits(Draws(seed, batch.id, "habits"), batch.prompt_tokens)
        self._written = 0
        self._first_id = ""

    def line(self, request: StoredRequest) -> bytes:
        """One request's line, including the line end."""
        self._written += 1
        custom_id = request.custom_id
        self._first_id = self._first_id or custom_id
        if "repeated" in self._batch.quirks and self._written == self._batch.final_counts.total:
            custom_id = self._first_id
        fields = {"custom_id": custom_id, "result": self._result(request)}
        return msgspec.json.encode(fields).replace(HALF.encode(), ESCAPED_HALF) + b"\n"

    def _result(self, request: StoredRequest) -> dict[str, Any]:
        counts, rank = self._batch.final_counts, request.rank
        draws = Draws(self._seed, self._batch.id, rank)
        odd_by = rank % ODD_EVERY if self._batch.odd_lines else None
        if rank < counts.errored:
            if odd_by == 0:
                return {"type": "errored", "error": draws.pick(ODD_ERRORS)}
            return _errored(request, draws)
        if rank < counts.errored + counts.succeeded:
            if odd_by == 0:
                return {"type": "withheld"}
            model = request.model or draws.pick(self._models)
            answer = message(model, self._habits, draws)
            if odd_by == ODD_EVERY // 2:
                answer["usage"]["cache_creation"] = None
            apply(self._batch.quirks, answer, rank, draws)
            if "long" in self._batch.quirks and rank == counts.errored:
                answer["content"] = [{"type": "text", "text": long_text()}]
            return {"type": "succeeded", "message": answer}
        if rank < counts.total - counts.expired:
            return {"type": "canceled"}
        return {"type": "expired"}


def _usual_models(draws: Draws) -> tuple[str, ...]:
    models = (draws.pick(MODELS), draws.pick(MODELS))
    return models[:1] if draws.happens(0.7) else models


def _errored(request: StoredRequest, draws: Draws) -> dict[str, Any]:
    kind, text = draws.pick(ERRORS)
    if request.problem:
        kind, text = request.error_type, request.problem
    error: dict[str, Any] = {"type": kind, "message": text}
    if draws.happens(0.2):
        error["details"] = None
    request_id = f"req_01{draws.word(22)}" if draws.happens(0.5) else None
    return {"type": "errored", "error": {"type": "error", "error": error, "request_id": request_id}}
