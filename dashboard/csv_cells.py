"""CSV as spreadsheets and scripts read it: no cell becomes a formula, and nothing else changes.

A spreadsheet runs text that begins with a formula sign, so such text gets an apostrophe before
it, as OWASP advises. Quotes alone don't help: a spreadsheet whose separator is a semicolon, as in
most of Europe, or that is set to tabs or bars, parts `"a","x;=1+1"` inside the quotes. So the
apostrophe also stands where a part of a text would become a cell of its own.

Plain text keeps every byte: letters, digits, `_`, `-` and `.`, of which the API makes every
`custom_id`, and numbers. It can call no function and start no program. Excel shows `-abc` as
`#NAME?`, `0012` as 12 and `1e5` as 1.00E+05, though the file has what it should.

Pure: no database, no request.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import batched
from typing import Any

BOM = b"\xef\xbb\xbf"
LINE_END = "\r\n"
GUARD = "'"
LINES_AT_ONCE = 200

PLAIN = re.compile(r"[A-Za-z0-9_.-]*|[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# With the full-width and small forms, which Excel reads as the signs themselves.
SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫"
# What may stand before a sign without a reader seeing it: blanks, control and format characters
# (byte order mark, zero-width and direction marks, fillers), and quotes, which readers take off.
UNSEEN = (
    "\\s\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202f\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\"'"
)
# Where some reader begins a cell or a line.
BREAKS = ",;|\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029"
LEAD = f"(?:(?![{BREAKS}])[{UNSEEN}])*"
# After a break a sign; or nothing, so that the quote which ends the text would begin a cell.
DANGEROUS = re.compile(f"^(?={LEAD}[{SIGNS}])|(?<=[{BREAKS}])(?={LEAD}(?:[{SIGNS}]|\\Z))")
# OWASP counts these among the signs, as some programs drop them and look at what follows.
DANGEROUS_FIRST = ("\t", "\r", "\n")


def cell(value: Any) -> str:
    """The text of a cell that no spreadsheet runs; empty for None, which is unknown.

    Numbers are exact, with neither exponents nor trailing zeros; moments are in ISO 8601.
    """
    text = _written(value)
    return text if PLAIN.fullmatch(text) else _guarded(text)


def csv_line(values: Iterable[Any]) -> str:
    """One line of RFC 4180. Whatever is not plain is in quotes, whether or not it needs them.

    Where a spreadsheet takes a whole line for one cell, as with another separator than the comma,
    and the line begins with "-1", the rest of it is then text in quotes and no part of a formula.
    """
    return ",".join(map(_field, values)) + LINE_END


def _field(value: Any) -> str:
    text = _written(value)
    if PLAIN.fullmatch(text):
        return text
    doubled = _guarded(text).replace('"', '""')
    return f'"{doubled}"'


def _written(value: Any) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case Decimal():
            whole, _, rest = f"{value:f}".partition(".")
            return f"{whole}.{rest}".rstrip("0").rstrip(".")
        case datetime():
            return value.isoformat()
    return str(value)


def _guarded(text: str) -> str:
    guarded = DANGEROUS.sub(GUARD, text)
    return GUARD + guarded if guarded.startswith(DANGEROUS_FIRST) else guarded


def csv_blocks(
    header: Iterable[str], rows: Iterable[Iterable[Any]], *, with_bom: bool
) -> Iterator[bytes]:
    """A CSV in UTF-8, some lines at a time.

    Excel knows UTF-8 by the byte order mark alone. Some scripts take it for a part of the first
    column's name.
    """
    yield (BOM if with_bom else b"") + _encoded(csv_line(header))
    for lines in batched(map(csv_line, rows), LINES_AT_ONCE):
        yield _encoded("".join(lines))


def _encoded(text: str) -> bytes:
    """In UTF-8; half of a character (a lone surrogate, which JSON allows) becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.encode()


def wants_bom(given: str | None) -> bool:
    """What the `bom` of an address asks for; yes without one.

    Raises ValueError, with a sentence for a person, for anything but 0 and 1.
    """
    match given:
        case None | "1":
            return True
        case "0":
            return False
    raise ValueError(f"BOM: “{given[:40]}” is neither 0 nor 1.")
