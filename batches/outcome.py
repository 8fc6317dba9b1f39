"""How a batch turned out, derived from its request counts. No database, no network."""

from dataclasses import dataclass
from typing import Literal, Protocol

Outcome = Literal[
    "",
    "all_succeeded",
    "some_failed",
    "all_failed",
    "canceled",
    "canceled_too_late",
    "expired",
    "unknown",
]

OUTCOME_WORDS: dict[str, str] = {
    "all_succeeded": "all succeeded",
    "some_failed": "some failed",
    "all_failed": "all failed",
    "canceled": "canceled",
    "canceled_too_late": "finished before the cancel",
    "expired": "expired",
    "unknown": "outcome unknown",
}

# Stop reasons and what they mean (SDK 2.12.0, `types/beta/beta_stop_reason.py`).
STOP_REASONS: dict[str, str] = {
    "end_turn": "the answer is complete",
    "stop_sequence": "the answer reached one of the request's stop sequences",
    "tool_use": "the model asks for a tool's result",
    "max_tokens": "the answer was cut off at the request's max_tokens",
    "pause_turn": "the model paused a long turn: send its answer back to have it go on",
    "model_context_window_exceeded": "the answer was cut off at the end of the context window",
    "compaction": "the model stopped after it compacted the context: send the answer back",
    "refusal": "the model declined to answer",
}
# Requests with these stop reasons succeed and are billed, but have no finished answer.
UNFINISHED = ("max_tokens", "pause_turn", "model_context_window_exceeded", "compaction")
REFUSED = ("refusal",)


class Counts(Protocol):
    """The five request counts of a batch, each a number of requests."""

    @property
    def processing(self) -> int: ...
    @property
    def succeeded(self) -> int: ...
    @property
    def errored(self) -> int: ...
    @property
    def canceled(self) -> int: ...
    @property
    def expired(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Segment:
    """One count as a segment of a bar. `start` and `width` are percentages of all requests."""

    name: str
    count: int
    start: float
    width: float


def outcome_of(processing_status: str, counts: Counts, *, cancel_initiated: bool) -> Outcome:
    """The outcome that the counts prove; empty while the batch has not ended.

    "canceled" goes before "expired", and both before failures: a person canceled, the API expired
    the batch as a whole, and failures concern single requests.
    """
    if processing_status != "ended":
        return ""
    finished = counts.succeeded + counts.errored
    total = finished + counts.canceled + counts.expired
    # An ended batch has no requests in processing. If it claims to, don't guess their outcome.
    if counts.processing or not total:
        return "unknown"
    if counts.canceled:
        return "canceled"
    if counts.expired:
        return "expired"
    if cancel_initiated:
        return "canceled_too_late"
    if not counts.errored:
        return "all_succeeded"
    return "some_failed" if counts.succeeded else "all_failed"


def outcome_sentence(outcome: str, counts: Counts) -> str:
    """The outcome with its figures, such as "canceled: 3 of 10"."""
    total = counts.succeeded + counts.errored + counts.canceled + counts.expired
    word = OUTCOME_WORDS.get(outcome, "")
    match outcome:
        case "canceled":
            return f"canceled: {counts.canceled:,} of {total:,}"
        case "expired":
            return f"expired: {counts.expired:,} of {total:,}"
        case "some_failed":
            return f"{counts.errored:,} of {total:,} failed"
        case "all_failed" | "all_succeeded":
            return f"{word}, {total:,}"
    return word


def unfinished_sentence(unfinished: int, refused: int) -> str:
    """How many succeeded requests have no finished answer; empty if there are none."""
    count = unfinished + refused
    words = [word for word, some in (("unfinished", unfinished), ("refused", refused)) if some]
    return f"{count:,} {' or '.join(words)}" if count else ""


def segments(counts: Counts) -> list[Segment]:
    """The five counts as segments of one bar, 100% together; empty when all are zero."""
    named = [
        (name, getattr(counts, name))
        for name in ("succeeded", "errored", "canceled", "expired", "processing")
    ]
    total = sum(count for _, count in named)
    if not total:
        return []
    parts, before = [], 0
    for name, count in named:
        if count:
            parts.append(Segment(name, count, 100 * before / total, 100 * count / total))
        before += count
    return parts
