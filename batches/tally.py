"""What a results file adds up to, counted as it passes by. Pure: no database, no network."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, NamedTuple, Self, cast

import msgspec

from batches.client.errors import printable
from batches.client.results import (
    Message,
    OddLine,
    ResultLine,
    UnreadableResults,
)

# More kinds of usage or outcome than any true file has; past it somebody fills our memory.
MOST_KINDS = 1_000
# Of failed requests, what is held in memory before it goes to a temporary file.
SPOOLED_BYTES = 4 * 1024 * 1024
LONGEST_WORD = 60
LONGEST_NAME = 100
LONGEST_MESSAGE = 500
NOT_STATED = "not stated"


class NoRoom(Exception):
    """There is no temporary folder, or no room in it. Fit to show a person."""


# model, inference_geo, number of the prompt's bracket, stop_reason
type Kind = tuple[str, str | None, int, str | None]


class Sums(NamedTuple):
    """Usage of requests alike in model, bracket and geo; tokens as the API counts them."""

    model: str
    inference_geo: str
    prompt_over: int
    prompt_up_to: int | None
    requests: int
    input_tokens: int
    output_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    cache_read_tokens: int
    thinking_tokens: int
    web_searches: int


class Failed(NamedTuple):
    """One request that did not succeed: `outcome` is the result's type."""

    custom_id: str
    outcome: str
    error_type: str
    message: str
    request_id: str


_decode_failed = msgspec.json.Decoder(Failed).decode


def _failed_of(line: ResultLine) -> Failed:
    """The line's own texts, whatever their length."""
    error = line.result.error
    problem = error.problem if error else None
    return Failed(
        line.custom_id,
        line.result.type,
        (problem and problem.type) or "",
        (problem and problem.message) or "",
        (error and error.request_id) or "",
    )


def _spool() -> IO[bytes]:
    # Closed with the tally.
    return cast("IO[bytes]", SpooledTemporaryFile(max_size=SPOOLED_BYTES))


@dataclass
class Tally:
    """Sums over a results file that never hold it: whatever its length, memory stays the same.

    `boundaries` are the prompt sizes at which some model's price changes (PriceTable). `redact`
    removes secrets from the texts that are kept. Raises UnreadableResults once there are more than
    `most_lines`, or more kinds than a file can have.
    """

    boundaries: Sequence[int]
    most_lines: int
    redact: Callable[[str], str] = str
    lines: int = 0
    odd_lines: int = 0
    # What was wrong with the first odd line.
    problem: str = ""
    not_succeeded: Counter[str] = field(default_factory=Counter)
    _sums: dict[Kind, list[int]] = field(default_factory=dict)
    _failed: IO[bytes] = field(default_factory=_spool)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._failed.close()

    def add(self, lines: Sequence[ResultLine | OddLine]) -> None:
        """Count some lines of the file."""
        self.lines += len(lines)
        if self.lines > self.most_lines:
            raise UnreadableResults(
                f"The file has more lines than the batch has requests ({self.most_lines:,})."
            )
        count = self._count
        failed: list[ResultLine] = []
        for line in lines:
            if line.__class__ is OddLine:
                self._note_odd(lines, line, line.problem)
                continue
            result = cast("ResultLine", line).result
            if result.type != "succeeded":
                failed.append(cast("ResultLine", line))
            elif result.message is None:
                self._note_odd(lines, line, "it succeeded, but holds no message")
            else:
                count(result.message)
        for each in self._redacted([_failed_of(line) for line in failed]):
            self._note_failed(each)

    def _count(self, message: Message) -> None:
        """The hot path: a hundred thousand times in a large file."""
        usage = message.usage
        fresh = usage.input_tokens
        read = usage.cache_read_input_tokens or 0
        minutes, hour = usage.cache_writes
        key = (
            message.model,
            usage.inference_geo,
            bisect_left(self.boundaries, fresh + minutes + hour + read),
            message.stop_reason,
        )
        sums = self._sums.get(key)
        if sums is None:
            sums = self._new_kind(key)
        sums[0] += 1
        sums[1] += fresh
        sums[2] += usage.output_tokens
        if minutes or hour:
            sums[3] += minutes
            sums[4] += hour
        if read:
            sums[5] += read
        if (details := usage.output_tokens_details) is not None:
            sums[6] += details.thinking_tokens or 0
        if (tools := usage.server_tool_use) is not None:
            sums[7] += tools.web_search_requests or 0

    def _new_kind(self, key: Kind) -> list[int]:
        if len(self._sums) >= MOST_KINDS:
            raise UnreadableResults(f"The file names more than {MOST_KINDS:,} kinds of usage.")
        return self._sums.setdefault(key, [0] * 8)

    def _note_odd(
        self, lines: Sequence[ResultLine | OddLine], line: ResultLine | OddLine, problem: str
    ) -> None:
        self.odd_lines += 1
        if not self.problem:
            number = self.lines - len(lines) + lines.index(line) + 1
            self.problem = f"line {number:,}: {self.redact(problem)}"

    def _redacted(self, failed: list[Failed]) -> list[Failed]:
        # Checking all texts at once takes a tenth of the time.
        texts = "\n".join(chain.from_iterable(failed))
        if self.redact(texts) is texts:
            return failed
        return [Failed(*map(self.redact, each)) for each in failed]

    def _note_failed(self, raw: Failed) -> None:
        outcome = shown(raw.outcome, LONGEST_WORD) or NOT_STATED
        self.not_succeeded[outcome] += 1
        if len(self.not_succeeded) > MOST_KINDS:
            raise UnreadableResults(f"The file names more than {MOST_KINDS:,} types of result.")
        failed = Failed(
            # No text of PostgreSQL's holds a NUL.
            raw.custom_id.replace("\0", "\ufffd"),
            outcome,
            shown(raw.error_type, LONGEST_NAME),
            shown(raw.message, LONGEST_MESSAGE),
            shown(raw.request_id, 200),
        )
        try:
            self._failed.write(msgspec.json.encode(failed) + b"\n")
        except OSError as error:
            raise NoRoom(
                "The results can't be read: there is no room for temporary files "
                f"({error.strerror or error}). Make some, or set TMPDIR to another folder."
            ) from error

    @property
    def succeeded(self) -> int:
        return sum(sums[0] for sums in self._sums.values())

    @property
    def outcomes(self) -> dict[str, int]:
        """Requests by the result's type; odd lines, whose type is not known, are in none."""
        counted = {"succeeded": self.succeeded} if self._sums else {}
        return counted | dict(self.not_succeeded)

    @property
    def stop_reasons(self) -> dict[str, int]:
        """Succeeded requests by the reason for which the model stopped."""
        counted: Counter[str] = Counter()
        for (_, _, _, reason), sums in self._sums.items():
            counted[self._shown(reason, LONGEST_WORD) or NOT_STATED] += sums[0]
        return dict(counted)

    def usage(self) -> list[Sums]:
        """One row for all requests alike in model, bracket and geo, in a fixed order."""
        bounds = [0, *self.boundaries, None]
        rows: dict[tuple[str, str, int], list[int]] = {}
        for (model, geo, bracket, _), sums in self._sums.items():
            key = (self._shown(model, LONGEST_NAME), self._shown(geo, 40), bracket)
            row = rows.setdefault(key, [0] * 8)
            row[:] = [before + more for before, more in zip(row, sums, strict=True)]
        return [
            Sums(model, geo, cast("int", bounds[at]), bounds[at + 1], *row)
            for (model, geo, at), row in sorted(rows.items())
        ]

    def failed(self) -> Iterator[Failed]:
        """Every request that did not succeed, in the file's order."""
        self._failed.seek(0)
        lines: Iterable[bytes] = self._failed
        return map(_decode_failed, lines)

    def _shown(self, text: str | None, longest: int) -> str:
        # Redact before cutting: a secret without its end may not be recognized.
        return shown(self.redact(text), longest) if text else ""


def shown(text: str | None, longest: int) -> str:
    """Text from outside, printable and at most so many characters; empty where there is none."""
    return printable(text)[:longest] if text else ""
