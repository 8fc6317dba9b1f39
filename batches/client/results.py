"""Decodes a results file line by line: each request's result and usage.

Only the members that Batchboard needs have to be valid. No content of a message is kept.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from batches.client.errors import printable
from batches.client.skim import Skimmer, skimmed
from batches.client.usage import Usage, known_usage

# A longer line is skimmed piece by piece instead of held. Most answers take some kB.
LONGEST_HELD_BYTES = 4 * 1024 * 1024
# The API allows 64 characters; longer ones are kept up to this length.
LONGEST_CUSTOM_ID = 1_000
LONGEST_PROBLEM = 300
# Some programs begin a text file with a byte order mark.
BOM = b"\xef\xbb\xbf"
BLANK = BOM + b" \t\r\n"

CustomId = Annotated[str, Meta(max_length=LONGEST_CUSTOM_ID)]


class UnreadableResults(ValueError):
    """The file is no whole results file. `str(error)` is fit to show a person."""


class Message(Struct, frozen=True, gc=False):
    """The answer to one request, without its content."""

    model: str
    usage: Usage
    stop_reason: str | None = None


class Problem(Struct, frozen=True, gc=False):
    """The API's error for a failed request."""

    type: str | None = None
    message: str | None = None


class ErrorEnvelope(Struct, frozen=True, gc=False):
    """The API wraps the error in another one."""

    error: Problem | None = None
    request_id: str | None = None
    # Used only where the answer has no outer error.
    type: str | None = None
    message: str | None = None

    @property
    def problem(self) -> Problem:
        """The error itself, wrapped or not."""
        return self.error or Problem(self.type, self.message)


class Result(Struct, frozen=True, gc=False):
    """The result of one request. `type` stays as it is, since the API may add types."""

    type: str
    message: Message | None = None
    error: ErrorEnvelope | None = None


class ResultLine(Struct, frozen=True, gc=False):
    """One line of the results file."""

    custom_id: CustomId
    result: Result


class DoubtfulLine(ResultLine, frozen=True, gc=False):
    """A line of a succeeded request whose cost may depend on fields that we don't know."""

    unknown: str = ""


class OddLine(Struct, frozen=True):
    """A line whose figures are not known, and why; with its ID and outcome where known."""

    problem: str
    custom_id: str = ""
    outcome: str = ""


class Part(bytes):
    """A piece of a line too long to be held. The line's last piece ends as the line does."""

    __slots__ = ()


_lines = msgspec.json.Decoder(ResultLine)
BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def blocks_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes in blocks of whole lines. Only the last block may lack a line end.

    Lines end at a line feed only, as their text may contain U+2028. A line longer than
    LONGEST_HELD_BYTES is yielded as Parts, to bound memory.
    """
    held: list[bytes] = []
    size = 0
    is_long = False
    for piece in chunks:
        chunk = piece
        if is_long:
            end = chunk.find(b"\n") + 1
            yield Part(chunk[:end] if end else chunk)
            is_long, chunk = not end, chunk[end:] if end else b""
        if not chunk:
            continue
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join((*held, memoryview(chunk)[:end]))
            held, size = [], 0
        if rest := chunk[end:]:
            held.append(rest)
            size += len(rest)
        if size > LONGEST_HELD_BYTES:
            yield from map(Part, held)
            held, size, is_long = [], 0, True
    if held:
        yield b"".join(held)


def is_blank(line: bytes) -> bool:
    """Whether the line is empty, and so doesn't count as a line."""
    return not line.strip(BLANK)


def read_lines(chunks: Iterable[bytes]) -> Iterator[list[ResultLine | OddLine]]:
    """The file's lines in its order, some at a time, without empty lines.

    An unreadable line is an OddLine and affects no other. Raises UnreadableResults for a file that
    ends in the middle of a line, and whatever `chunks` raises.
    """
    yield from read_blocks(blocks_of(chunks))


def read_blocks(blocks: Iterable[bytes]) -> Iterator[list[ResultLine | OddLine]]:
    """Like `read_lines`, from the blocks of `blocks_of`."""
    long: Skimmer | None = None
    for block in blocks:
        if isinstance(block, Part):
            long = long or Skimmer()
            long.feed(block)
            if block.endswith(b"\n"):
                yield [decode_skimmed(long)]
                long = None
        else:
            yield _read_block(block)
    if long:
        _refuse_cut(long)
        yield [decode_skimmed(long)]


def _read_block(block: bytes) -> list[ResultLine | OddLine]:
    try:
        return cast("list[ResultLine | OddLine]", _lines.decode_lines(block))
    except BAD_JSON:
        lines = [line for line in block.split(b"\n") if not is_blank(line)]
    # Only the last block can lack a line end.
    if lines and not block.endswith(b"\n"):
        _refuse_cut(skimmed(lines[-1]))
    return [decode_line(line) for line in lines]


def _refuse_cut(last: Skimmer) -> None:
    if not last.is_whole:
        raise UnreadableResults("The file ends in the middle of a line.")


def decode_line(line: bytes) -> ResultLine | OddLine:
    """One line. A result of an unknown type is valid, whatever else it contains."""
    try:
        return _lines.decode(line)
    except BAD_JSON:
        return decode_skimmed(skimmed(line.removeprefix(BOM)))


def decode_skimmed(line: Skimmer) -> ResultLine | OddLine:
    """A skimmed line, by rules less strict than JSON's.

    Python's own parser accepts lone surrogates and control characters, which models can produce.
    """
    text = line.text
    if text is None:
        return OddLine("its ID, error or usage is too long")
    try:
        fields = json.loads(text.removeprefix(BOM).decode(errors="replace"), strict=False)
    except (ValueError, RecursionError) as error:
        return OddLine(_words(error))
    try:
        return msgspec.convert(fields, ResultLine)
    except (msgspec.ValidationError, RecursionError) as error:
        return _decode_part(fields, error)


class _Typed(Struct, frozen=True):
    type: str


class _BareLine(Struct, frozen=True):
    custom_id: CustomId
    result: _Typed


def _decode_part(fields: Any, error: Exception) -> ResultLine | OddLine:
    """What is known of a line that doesn't fit ResultLine."""
    try:
        bare = msgspec.convert(fields, _BareLine)
    except msgspec.ValidationError:
        return OddLine(_words(error))
    if bare.result.type != "succeeded":
        return ResultLine(bare.custom_id, Result(bare.result.type))
    try:
        message = fields["result"]["message"]
        usage, unknown = known_usage(message["usage"])
        known = msgspec.convert({**message, "usage": usage}, Message)
    except (msgspec.ValidationError, KeyError, TypeError, AttributeError):
        # Missing usage is unknown, not zero.
        return OddLine(_words(error), bare.custom_id, bare.result.type)
    result = Result(bare.result.type, known)
    if not unknown:
        return ResultLine(bare.custom_id, result)
    return DoubtfulLine(bare.custom_id, result, ", ".join(sorted(set(unknown))))


def _words(error: Exception) -> str:
    return printable(str(error))[:LONGEST_PROBLEM]
