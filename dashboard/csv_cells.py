"""Writes CSV cells that no spreadsheet runs as formulas, and that scripts read back unchanged.

A spreadsheet runs text that begins with a formula sign, so such text gets an apostrophe in
front, as OWASP advises. Quotes are not enough: a spreadsheet whose separator is a semicolon, as
in most of Europe, or is set to tabs or bars, splits `"a","x;=1+1"` inside the quotes. So the
apostrophe is also inserted where a part of the text would become a cell of its own.

Plain text keeps every byte: letters, digits, `_`, `-` and `.`, which are all that the API allows
in a `custom_id`, and numbers. It can call no function and start no program. Excel shows `-abc` as
`#NAME?`, `0012` as 12 and `1e5` as 1.00E+05, but the file is right.

No database, no network.
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
# Including the full-width and small forms, which Excel reads as the same signs.
SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫"
# Characters before a sign that spreadsheets skip: blanks, control and format characters (byte
# order mark, zero-width and direction marks, fillers), and quotes, which they remove.
UNSEEN = (
    "\\s\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202f\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\"'"
)
# Characters after which some spreadsheet begins a new cell or line.
BREAKS = ",;|\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029"
LEAD = f"(?:(?![{BREAKS}])[{UNSEEN}])*"
# A sign at the beginning or after a break; or a break at the end, after which the closing quote
# would begin a cell.
DANGEROUS = re.compile(f"^(?={LEAD}[{SIGNS}])|(?<=[{BREAKS}])(?={LEAD}(?:[{SIGNS}]|\\Z))")
# OWASP counts these as signs, because some programs drop them and look at what follows.
DANGEROUS_FIRST = ("\t", "\r", "\n")


def cell(value: Any) -> str:
    """The text of a cell, safe for spreadsheets; empty for None, which means unknown.

    Numbers are exact, without exponents or trailing zeros; times are in ISO 8601.
    """
    text = _written(value)
    return text if PLAIN.fullmatch(text) else _guarded(text)


def csv_line(values: Iterable[Any]) -> str:
    """One line of RFC 4180, in which all text that isn't plain is quoted.

    A spreadsheet with another separator takes a whole line for one cell. If the line begins with
    "-1", the quotes keep the rest of it from becoming part of a formula.
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
            return decimal_text(value)
        case datetime():
            return value.isoformat()
    return str(value)


def decimal_text(value: Decimal) -> str:
    """The exact value, without an exponent and without zeros at its end."""
    whole, _, rest = f"{value:f}".partition(".")
    return f"{whole}.{rest}".rstrip("0").rstrip(".")


def _guarded(text: str) -> str:
    guarded = DANGEROUS.sub(GUARD, text)
    return GUARD + guarded if guarded.startswith(DANGEROUS_FIRST) else guarded


def csv_blocks(
    header: Iterable[str], rows: Iterable[Iterable[Any]], *, with_bom: bool
) -> Iterator[bytes]:
    """A CSV in UTF-8, LINES_AT_ONCE in a block.

    Excel recognizes UTF-8 only by the byte order mark. Some scripts take the mark for part of the
    first column's name.
    """
    yield (BOM if with_bom else b"") + _encoded(csv_line(header))
    for lines in batched(map(csv_line, rows), LINES_AT_ONCE):
        yield _encoded("".join(lines))


def _encoded(text: str) -> bytes:
    """In UTF-8; a lone surrogate, which JSON allows, becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.encode()


def wants_bom(given: str | None) -> bool:
    """Whether a CSV begins with a byte order mark, by the `bom` of its address: 1, 0 or none.

    Raises ValueError, with a sentence for a person, for other values.
    """
    match given:
        case None | "1":
            return True
        case "0":
            return False
    raise ValueError(f"BOM: “{given[:40]}” is neither 0 nor 1.")
