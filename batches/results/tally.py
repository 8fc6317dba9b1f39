"""Sums over a results file while it is read. No database, no network."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import IO, Any, NamedTuple, Self, cast

import msgspec

from batches.client.errors import printable
from batches.client.results import (
    DoubtfulLine,
    Message,
    OddLine,
    ResultLine,
    UnreadableResults,
)
from batches.client.usage import Usage
from batches.results.passes import MESSAGE, Part, parts_of, tier_of, tier_word

# No real file has more kinds of usage or outcome. The limit protects our memory.
MOST_KINDS = 1_000
# Failed requests beyond this go to a temporary file.
SPOOLED_BYTES = 4 * 1024 * 1024
LONGEST_WORD = 60
LONGEST_NAME = 100
LONGEST_MESSAGE = 500
LONGEST_TERM = 40
LONGEST_UNKNOWN = 200
# Repeated IDs that are named.
MOST_NAMED = 3
NOT_STATED = "not stated"
SURROGATES = re.compile("[\ud800-\udfff]")
# PostgreSQL stores no NUL, and UTF-8 has no lone surrogates.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class NoRoom(Exception):
    """There is no temporary folder, or no space in it. `str(error)` is fit to show a person."""


class RequestKind(NamedTuple):
    """What requests share that are summed up together: all that a price or a page depends on."""

    model: str
    inference_geo: str | None
    tier: str
    part: str
    unknown: str
    # Numbers of the lowest and highest bracket in which the prompts may be; usually the same.
    low: int
    high: int
    stop_reason: str | None


class FileUsage(NamedTuple):
    """Usage of requests with the same price; tokens as the API counts them.

    Each request is counted in one row's `requests`, and in `uses` of every row that has some of
    its tokens.
    """

    model: str
    inference_geo: str
    tier: str
    part: str
    unpriced_by: str
    prompt_over: int
    prompt_up_to: int | None
    requests: int
    uses: int
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


_custom_id = attrgetter("custom_id")
_decode_failed = msgspec.json.Decoder(Failed).decode


def _failed_of(line: ResultLine) -> Failed:
    """The line's texts, at full length."""
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
    """Sums over a results file, in constant memory.

    `boundaries` are the prompt sizes at which some model's price changes (PriceTable). `redact`
    removes secrets from the texts that are kept. Of each custom_id only a 64-bit hash is kept, to
    find those that occur twice: 8 MB for 100,000 requests, the most a batch has. Raises
    UnreadableResults once there are more than
    `most_lines`, or more kinds than a file can have.
    """

    boundaries: Sequence[int]
    most_lines: int
    redact: Callable[[str], str] = str
    lines: int = 0
    odd_lines: int = 0
    # The problem of the first odd line.
    problem: str = ""
    # Lines with the custom_id of an earlier line. They are not counted.
    repeated_lines: int = 0
    repeated_ids: list[str] = field(default_factory=list)
    not_succeeded: Counter[str] = field(default_factory=Counter)
    _seen: set[int] = field(default_factory=set)
    # Requests of one pass, which nearly all are.
    _single: dict[tuple[Any, ...], list[int]] = field(default_factory=dict)
    # The others, by part of the request.
    _divided: dict[tuple[Any, ...], dict[Part, list[int]]] = field(default_factory=dict)
    _kinds_found: int = 0
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
        count_single = self._count_single
        failed: list[ResultLine] = []
        for line in self._unrepeated(lines):
            kind = line.__class__
            if kind is OddLine:
                self._note_odd(lines, line, line.problem)  # type: ignore[union-attr]
                continue
            # A cast would take as long as the rest.
            result = line.result  # type: ignore[union-attr]
            message = result.message
            if result.type != "succeeded":
                failed.append(cast("ResultLine", line))
            elif message is None:
                self._note_odd(lines, line, "it succeeded, but has no message")
            elif (usage := message.usage).iterations or kind is DoubtfulLine:
                self._count_parts(message, getattr(line, "unknown", ""))
            else:
                count_single(message, usage)
        if failed:
            for each in self._redacted([_failed_of(line) for line in failed]):
                self._note_failed(each)

    def _unrepeated(self, lines: Sequence[ResultLine | OddLine]) -> Sequence[ResultLine | OddLine]:
        """The lines whose custom_id is new, and those that have none.

        Compares Python's hashes: 64 bits, keyed with a secret of this process, so nobody can make
        a file whose IDs collide. By chance, 100,000 IDs collide in one of 4 billion files.
        """
        hashes = set(map(hash, map(_custom_id, lines)))
        if len(hashes) == len(lines) and hashes.isdisjoint(self._seen):
            self._seen |= hashes
            return lines
        return [line for line in lines if self._is_new(line)]

    def _is_new(self, line: ResultLine | OddLine) -> bool:
        if isinstance(line, OddLine) and not line.custom_id:
            return True
        hashed = hash(line.custom_id)
        if hashed in self._seen:
            self._note_repeated(line.custom_id)
            return False
        self._seen.add(hashed)
        return True

    def _count_single(self, message: Message, usage: Usage) -> None:
        """Runs a hundred thousand times for a large file."""
        fresh = usage.input_tokens
        read = usage.cache_read_input_tokens or 0
        minutes, hour = usage.cache_writes
        key = (
            message.model,
            usage.inference_geo,
            usage.service_tier,
            usage.speed,
            bisect_left(self.boundaries, fresh + minutes + hour + read),
            message.stop_reason,
        )
        try:
            sums = self._single[key]
        except KeyError:
            sums = self._new_kind(self._single, key)
        sums[0] += 1
        sums[2] += fresh
        sums[3] += usage.output_tokens
        if minutes:
            sums[4] += minutes
        if hour:
            sums[5] += hour
        if read:
            sums[6] += read
        if (details := usage.output_tokens_details) and details.thinking_tokens:
            sums[7] += details.thinking_tokens
        if (tools := usage.server_tool_use) and tools.web_search_requests:
            sums[8] += tools.web_search_requests

    def _count_parts(self, message: Message, unknown: str) -> None:
        """A request of several passes, or one with fields that may change its price."""
        usage = message.usage
        details, tools = usage.output_tokens_details, usage.server_tool_use
        # What is counted per request goes with its first part.
        thinking = (details and details.thinking_tokens) or 0
        searches = (tools and tools.web_search_requests) or 0
        requests = 1
        key = (usage.inference_geo, tier_of(usage), unknown, message.stop_reason)
        divided = self._divided.setdefault(key, {})
        for part, (fresh, output, minutes, hour, read) in parts_of(
            message, self.boundaries
        ).items():
            sums = divided.get(part) or self._new_kind(divided, part)
            if requests:
                sums[0] += 1
                sums[7] += thinking
                sums[8] += searches
                requests = 0
            sums[1] += 1
            sums[2] += fresh
            sums[3] += output
            sums[4] += minutes
            sums[5] += hour
            sums[6] += read

    def _new_kind[T](self, sums: dict[T, list[int]], key: T) -> list[int]:
        self._kinds_found += 1
        if self._kinds_found > MOST_KINDS:
            raise UnreadableResults(f"The file has more than {MOST_KINDS:,} kinds of usage.")
        return sums.setdefault(key, [0] * 9)

    def _note_odd(
        self, lines: Sequence[ResultLine | OddLine], line: ResultLine | OddLine, problem: str
    ) -> None:
        self.odd_lines += 1
        if not self.problem:
            number = self.lines - len(lines) + lines.index(line) + 1
            self.problem = f"line {number:,}: {self.redact(problem)}"

    def _redacted(self, failed: list[Failed]) -> list[Failed]:
        # Checking all texts at once is ten times as fast.
        texts = "\n".join(chain.from_iterable(failed))
        if self.redact(texts) is texts:
            return failed
        return [Failed(*map(self.redact, each)) for each in failed]

    def _note_repeated(self, custom_id: str) -> None:
        self.repeated_lines += 1
        name = self._shown(custom_id, LONGEST_NAME)
        if len(self.repeated_ids) < MOST_NAMED and name not in self.repeated_ids:
            self.repeated_ids.append(name)

    def _note_failed(self, raw: Failed) -> None:
        outcome = shortened(raw.outcome, LONGEST_WORD) or NOT_STATED
        self.not_succeeded[outcome] += 1
        if len(self.not_succeeded) > MOST_KINDS:
            raise UnreadableResults(f"The file has more than {MOST_KINDS:,} types of result.")
        failed = Failed(
            UNSTORABLE.sub("\ufffd", raw.custom_id),
            outcome,
            shortened(raw.error_type, LONGEST_NAME),
            shortened(raw.message, LONGEST_MESSAGE),
            shortened(raw.request_id, 200),
        )
        try:
            self._failed.write(msgspec.json.encode(failed) + b"\n")
        except OSError as error:
            raise NoRoom(
                "The results can't be read: there is no space for temporary files "
                f"({error.strerror or error}). Free some, or set TMPDIR to another folder."
            ) from error

    def _kinds(self) -> Iterator[tuple[RequestKind, list[int]]]:
        for (model, geo, tier, speed, at, reason), sums in self._single.items():
            kind = RequestKind(model, geo, tier_word(tier, speed), MESSAGE, "", at, at, reason)
            # A request of one pass is in one row.
            yield kind, [sums[0], sums[0], *sums[2:]]
        for (geo, tier, unknown, reason), parts in self._divided.items():
            for (part, model, low, high), sums in parts.items():
                # Unknown fields of the message may change its price, not that of other parts.
                doubt = unknown if part == MESSAGE else ""
                yield RequestKind(model, geo, tier, part, doubt, low, high, reason), sums

    @property
    def succeeded(self) -> int:
        return sum(sums[0] for _, sums in self._kinds())

    @property
    def outcomes(self) -> dict[str, int]:
        """Requests by the result's type, without odd lines, whose type is not known."""
        succeeded = self.succeeded
        return ({"succeeded": succeeded} if succeeded else {}) | dict(self.not_succeeded)

    @property
    def stop_reasons(self) -> dict[str, int]:
        """Succeeded requests by stop reason."""
        counted: Counter[str] = Counter()
        for kind, sums in self._kinds():
            counted[self._shown(kind.stop_reason, LONGEST_WORD) or NOT_STATED] += sums[0]
        return +counted

    def usage(self) -> list[FileUsage]:
        """One row for all requests with the same price, in a fixed order."""
        bounds = [0, *self.boundaries, None]
        rows: dict[tuple[Any, ...], list[int]] = {}
        for kind, sums in self._kinds():
            key = (
                self._shown(kind.model, LONGEST_NAME),
                self._shown(kind.inference_geo, LONGEST_TERM),
                self._shown(kind.tier, LONGEST_TERM),
                kind.part,
                self._shown(kind.unknown, LONGEST_UNKNOWN),
                kind.low,
                kind.high,
            )
            row = rows.setdefault(key, [0] * 9)
            row[:] = [before + more for before, more in zip(row, sums, strict=True)]
        return [
            FileUsage(*words, cast("int", bounds[low]), bounds[high + 1], *row)  # type: ignore[call-arg]
            for (*words, low, high), row in sorted(rows.items())
        ]

    def failed(self) -> Iterator[Failed]:
        """Every request that did not succeed, in the file's order."""
        self._failed.seek(0)
        lines: Iterable[bytes] = self._failed
        return map(_decode_failed, lines)

    def _shown(self, text: str | None, longest: int) -> str:
        # Redact before cutting: a secret without its end may not be recognized.
        return shortened(self.redact(text), longest) if text else ""


def shortened(text: str | None, longest: int) -> str:
    """Text from outside, made printable and cut to `longest` characters; empty for None.

    Lone surrogates, which JSON allows, become U+FFFD.
    """
    if not text:
        return ""
    whole = text if text.isascii() else SURROGATES.sub("\ufffd", text)
    return printable(whole)[:longest]
