"""The results file, line by line: what each request came to, and what it used.

A line is judged by what is needed of it. Nothing of a message's content is kept.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from batches.client.errors import printable
from batches.client.skim import Skimmer, skimmed
from batches.client.usage import Usage, known_usage

# A longer line is never held: it is skimmed piece by piece. Most answers take some kB.
LONGEST_HELD_BYTES = 4 * 1024 * 1024
# The API makes them of 64 characters at most; a longer one is kept as it is, within reason.
LONGEST_CUSTOM_ID = 1_000
LONGEST_PROBLEM = 300
# Some programs begin a text file with a byte order mark.
BOM = b"\xef\xbb\xbf"
BLANK = BOM + b" \t\r\n"

CustomId = Annotated[str, Meta(max_length=LONGEST_CUSTOM_ID)]


class UnreadableResults(ValueError):
    """What came is no results file. Fit to show a person."""


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


class DoubtfulLine(ResultLine, frozen=True, gc=False):
    """A line of a succeeded request whose cost depends on fields that nobody here knows."""

    unknown: str = ""


class OddLine(Struct, frozen=True):
    """A line whose figures are not known, and why; its ID and outcome where they are."""

    problem: str
    custom_id: str = ""
    outcome: str = ""


class Part(bytes):
    """A piece of a line too long to be held. The line's last piece ends as the line does."""

    __slots__ = ()


_lines = msgspec.json.Decoder(ResultLine)
BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def blocks_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes in blocks of whole lines, each ending with a line end except perhaps the last.

    Lines end at a line feed only: text in them may hold U+2028. A line longer than
    LONGEST_HELD_BYTES comes as Parts, so that memory stays bounded.
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
    """Whether there is nothing on the line, which then is none."""
    return not line.strip(BLANK)


def read_lines(chunks: Iterable[bytes]) -> Iterator[list[ResultLine | OddLine]]:
    """The file's lines, some hundreds at a time, in its own order; empty lines are left out.

    A line that cannot be understood comes as an OddLine and hides no other. Raises
    UnreadableResults for a file that ends in the middle of a line, and whatever `chunks` raises.
    """
    yield from read_blocks(blocks_of(chunks))


def read_blocks(blocks: Iterable[bytes]) -> Iterator[list[ResultLine | OddLine]]:
    """As `read_lines`, from what `blocks_of` gives."""
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
    """One line. A result of a type that is new is one too, whatever else it holds."""
    try:
        return _lines.decode(line)
    except BAD_JSON:
        return decode_skimmed(skimmed(line.removeprefix(BOM)))


def decode_skimmed(line: Skimmer) -> ResultLine | OddLine:
    """A line that has been skimmed, by rules less strict than JSON's.

    Python's own reader takes lone surrogates and control characters, which models' output holds.
    """
    text = line.text
    if text is None:
        return OddLine("what is needed of the line is too long")
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
    """What can be known of a line that is not as ResultLine has it."""
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
        # What it used is not known, so it must not pass for having used nothing.
        return OddLine(_words(error), bare.custom_id, bare.result.type)
    result = Result(bare.result.type, known)
    if not unknown:
        return ResultLine(bare.custom_id, result)
    return DoubtfulLine(bare.custom_id, result, ", ".join(sorted(set(unknown))))


def _words(error: Exception) -> str:
    return printable(str(error))[:LONGEST_PROBLEM]
