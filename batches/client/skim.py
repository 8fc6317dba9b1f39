"""Skims a line of a results file: keeps the members that are needed and drops the content.

The content of an answer may be tens of MB long, nested deeply, or contain text that strict JSON
parsers refuse. The skimmer reads such a line piece by piece, in bounded memory.
"""

import re

import msgspec

# The kept part of a line: IDs, types, figures and an error message take a few kB.
LONGEST_KEPT_BYTES = 2 * 1024 * 1024

type Members = dict[bytes, "Members | None"]
# The members that are kept. None keeps a member with any value.
LINE: Members = {
    b"custom_id": None,
    b"result": {
        b"type": None,
        b"error": None,
        b"message": {b"model": None, b"stop_reason": None, b"usage": None},
    },
}

_IN_STRING = re.compile(rb'["\\]')
_NESTED = re.compile(rb'["{}\[\]]')
_AT_MEMBERS = re.compile(rb'["{}\[\]:,]')


class Skimmer:
    """Reads the pieces of one JSON object and keeps its text, with 0 for each unneeded value.

    Memory is bounded by LONGEST_KEPT_BYTES and the longest piece. The kept text still has to be
    parsed. In the rest, the skimmer follows only strings and brackets.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        # The objects whose members are told apart, from the line inward.
        self._open: list[Members] = []
        # Brackets open inside a value that is kept or dropped whole.
        self._depth = 0
        # What the next value is to be searched for, should it be an object.
        self._awaited: Members | None = LINE
        self._in_string = False
        self._in_value = False
        self._is_dropping = False
        # Where in the kept text the name of the present member begins and ends.
        self._name_start = self._name_end = -1
        # Bytes of the next piece that belong to an escape begun in this one.
        self._escaped = 0
        # Where in the present piece that begins which is neither kept nor dropped yet.
        self._start = 0

    @property
    def text(self) -> bytes | None:
        """The line without what is not needed; None where even that is too long."""
        return None if len(self._kept) > LONGEST_KEPT_BYTES else bytes(self._kept)

    @property
    def is_whole(self) -> bool:
        """Whether an object began, and ended with all that it holds."""
        is_open = self._open or self._depth or self._in_string
        return self._awaited is not LINE and not is_open

    def feed(self, piece: bytes) -> None:
        """Read the next piece of the line, of any length."""
        self._start, position = 0, self._escaped
        while found := self._pattern.search(piece, position):
            position = found.end()
            match found[0]:
                case b"\\":
                    position += 1
                case b'"':
                    self._meet_quote(piece, found.start())
                case b"{" | b"[":
                    self._begin(is_object=found[0] == b"{")
                case b"}" | b"]":
                    self._end(found.start())
                case b":":
                    self._meet_colon(piece, position)
                case b",":
                    self._end_value(found.start())
        self._escaped = max(0, position - len(piece))
        if not self._is_dropping:
            self._keep(piece[self._start :])

    @property
    def _pattern(self) -> re.Pattern[bytes]:
        if self._in_string:
            return _IN_STRING
        return _NESTED if self._depth else _AT_MEMBERS

    def _keep(self, text: bytes) -> None:
        if len(self._kept) <= LONGEST_KEPT_BYTES:
            self._kept += text

    def _keep_until(self, piece: bytes, end: int) -> None:
        self._keep(piece[self._start : end])
        self._start = end

    def _meet_quote(self, piece: bytes, at: int) -> None:
        self._in_string = not self._in_string
        if self._in_value or self._depth or not self._open:
            return
        # The name of a member, which is needed whole even where it lies in two pieces.
        if self._in_string:
            self._keep_until(piece, at)
            self._name_start = len(self._kept)
        else:
            self._keep_until(piece, at + 1)
            self._name_end = len(self._kept)

    def _meet_colon(self, piece: bytes, end: int) -> None:
        if self._in_value or not self._open:
            return
        self._in_value = True
        name = _name(bytes(self._kept[self._name_start : self._name_end]))
        if name in self._open[-1]:
            self._awaited = self._open[-1][name]
        else:
            self._keep_until(piece, end)
            self._keep(b"0")
            self._is_dropping = True

    def _begin(self, *, is_object: bool) -> None:
        if is_object and self._awaited is not None and not self._depth:
            self._open.append(self._awaited)
            self._in_value = False
        else:
            self._depth += 1
        self._awaited = None

    def _end(self, at: int) -> None:
        if self._depth:
            self._depth -= 1
            return
        self._end_value(at)
        if self._open:
            self._open.pop()
            self._in_value = True

    def _end_value(self, at: int) -> None:
        """A member's value ends before this byte; it was kept, or 0 stands in its place."""
        if self._is_dropping:
            self._is_dropping = False
            self._start = at
        self._in_value = False
        if self._open:
            self._awaited = None


def _name(text: bytes) -> bytes:
    """A member's name without quotes and escapes; as it is where it can't be decoded."""
    if b"\\" not in text:
        return text[1:-1]
    try:
        return msgspec.json.decode(text, type=str).encode()
    except (msgspec.DecodeError, UnicodeError):
        return text


def skimmed(line: bytes) -> Skimmer:
    """The skimmer of a line that is at hand."""
    skimmer = Skimmer()
    skimmer.feed(line)
    return skimmer
