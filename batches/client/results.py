"""The results file, line by line: what each request came to, and what it used.

Nothing of the messages' content is kept: it is skipped over while the JSON is checked.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, cast

import msgspec
from msgspec import Meta, Struct

from batches.client.errors import printable

# A whole line is held while it is decoded. The longest answers take a few MB.
LONGEST_LINE_BYTES = 16 * 1024 * 1024
# No prompt comes near this; sums of any number of them stay within 64 bits.
LARGEST_FIGURE = 10**8

# The API makes them of 64 characters at most; a longer one is kept as it is, within reason.
LONGEST_CUSTOM_ID = 1_000

Figure = Annotated[int, Meta(ge=0, le=LARGEST_FIGURE)]
CustomId = Annotated[str, Meta(max_length=LONGEST_CUSTOM_ID)]


class UnreadableResults(ValueError):
    """What came is no results file. Fit to show a person."""


class CacheCreation(Struct, frozen=True, gc=False):
    """Tokens written to the cache, by how long they stay there."""

    ephemeral_5m_input_tokens: Figure | None = None
    ephemeral_1h_input_tokens: Figure | None = None


class OutputDetails(Struct, frozen=True, gc=False):
    """Of the output tokens, those spent on thinking."""

    thinking_tokens: Figure | None = None


class ServerTools(Struct, frozen=True, gc=False):
    """How often the API's own tools were used."""

    web_search_requests: Figure | None = None


class Usage(Struct, frozen=True, gc=False):
    """What one succeeded request used. Any part but input and output may be null or missing."""

    input_tokens: Figure
    output_tokens: Figure
    cache_creation_input_tokens: Figure | None = None
    cache_read_input_tokens: Figure | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None
    server_tool_use: ServerTools | None = None
    inference_geo: str | None = None

    @property
    def cache_writes(self) -> tuple[int, int]:
        """Tokens written to the cache for five minutes, and for an hour.

        Whichever of the sum and its two parts is missing, the other tells. What is not said to
        stay an hour stays five minutes, the API's default.
        """
        written = self.cache_creation_input_tokens or 0
        if (creation := self.cache_creation) is None:
            return written, 0
        hour = creation.ephemeral_1h_input_tokens or 0
        return max(written - hour, creation.ephemeral_5m_input_tokens or 0), hour


class Message(Struct, frozen=True, gc=False):
    """The answer to one request, its content left out."""

    model: str
    usage: Usage
    stop_reason: str | None = None


class Problem(Struct, frozen=True, gc=False):
    """Why a request failed, in the API's words."""

    type: str | None = None
    message: str | None = None


class ErrorEnvelope(Struct, frozen=True, gc=False):
    """The useful error stands inside another one (api.md)."""

    error: Problem | None = None
    request_id: str | None = None
    # Used only where an answer lacks the outer one of the two.
    type: str | None = None
    message: str | None = None

    @property
    def problem(self) -> Problem:
        """The error itself, wherever it stands."""
        return self.error or Problem(self.type, self.message)


class Result(Struct, frozen=True, gc=False):
    """What became of one request. `type` is kept as it is: the API may add a word before we do."""

    type: str
    message: Message | None = None
    error: ErrorEnvelope | None = None


class ResultLine(Struct, frozen=True, gc=False):
    """One line of the results file."""

    custom_id: CustomId
    result: Result


class OddLine(Struct, frozen=True):
    """A line that cannot be understood, and what is wrong with it."""

    problem: str


class _Word(Struct):
    type: str


class _BareLine(Struct):
    custom_id: CustomId
    result: _Word


_lines = msgspec.json.Decoder(ResultLine)
_bare_lines = msgspec.json.Decoder(_BareLine)
BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def blocks_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes in blocks of whole lines, each ending with a line end but perhaps the last.

    Lines end at a line feed and nowhere else: text in them may hold U+2028. Memory is bounded
    by the longest line. Raises UnreadableResults for one longer than LONGEST_LINE_BYTES.
    """
    kept: list[bytes] = []
    size = 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if not end:
            kept.append(chunk)
            size += len(chunk)
            if size > LONGEST_LINE_BYTES:
                raise UnreadableResults(f"A line is longer than {LONGEST_LINE_BYTES:,} bytes.")
            continue
        yield b"".join((*kept, chunk[:end]))
        rest = chunk[end:]
        kept, size = ([rest], len(rest)) if rest else ([], 0)
    if kept:
        yield b"".join(kept)


def read_lines(chunks: Iterable[bytes]) -> Iterator[list[ResultLine | OddLine]]:
    """The file's lines, some hundreds at a time, in its own order; empty lines are left out.

    A line that cannot be understood comes as an OddLine and hides no other. Raises
    UnreadableResults for a file that ends in the middle of a line, and whatever `chunks` raises.
    """
    for block in blocks_of(chunks):
        try:
            yield cast("list[ResultLine | OddLine]", _lines.decode_lines(block))
        except BAD_JSON:
            lines = [decode_line(line) for line in block.split(b"\n") if line.strip()]
            # Only the last block can lack a line end; what is garbled there has been cut off.
            if lines and isinstance(lines[-1], OddLine) and not block.endswith(b"\n"):
                raise UnreadableResults("The file ends in the middle of a line.") from None
            yield lines


def decode_line(line: bytes) -> ResultLine | OddLine:
    """One line. A result of a type that is new is one too, whatever else it holds."""
    try:
        return _lines.decode(line)
    except BAD_JSON as error:
        problem = printable(str(error))[:300]
    try:
        bare = _bare_lines.decode(line)
    except BAD_JSON:
        return OddLine(problem)
    if bare.result.type == "succeeded":
        # What it used is not known, so it must not pass for having used nothing.
        return OddLine(problem)
    return ResultLine(bare.custom_id, Result(bare.result.type))
