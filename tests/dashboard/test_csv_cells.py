"""CSV cells that no spreadsheet runs, and that read back unchanged."""

import csv
import io
import re
import shutil
import subprocess
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.csv_cells import BOM, cell, csv_blocks, csv_line, wants_bom

SEPARATORS = [",", ";", "\t", "|"]
SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"
DDE = "=cmd|' /C calc'!A0"
ATTACKS = [
    *(f"{sign}1+cmd|'/C calc'!A0" for sign in SIGNS),
    f"  {DDE}",
    f"\N{NO-BREAK SPACE}{DDE}",
    f"\N{ZERO WIDTH NO-BREAK SPACE}{DDE}",
    f"\N{ZERO WIDTH SPACE}\N{RIGHT-TO-LEFT MARK}{DDE}",
    "\N{IDEOGRAPHIC SPACE}\N{FULLWIDTH EQUALS SIGN}1+1",
    f"\t{DDE}",
    f"\r{DDE}",
    f"\n{DDE}",
    f"\0{DDE}",
    f'"{DDE}"',
    f"x;{DDE}",
    f"x; {DDE}",
    f'x;"{DDE}"',
    f"x\t{DDE}",
    f"x|{DDE}",
    f"x,{DDE}",
    f"x\r\n{DDE}",
    f"x\n;;\N{NO-BREAK SPACE}{DDE}",
    "-1+cmd|'/C calc'!A0",
    "-1;-1+cmd|'/C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    '=HYPERLINK("https://example.com?"&A1)',
    f"'{DDE}",
]
# What a cell that begins with a sign may contain: a number or a name, and texts in quotes. None of
# it is a function, a reference to a program, or an operation.
HARMLESS = re.compile(r'[A-Za-z0-9_.+-]*(?:,(?:[A-Za-z0-9_.+-]*|"(?:[^"]|"")*"?))*')
TEXTS = st.text(
    st.sampled_from([*SIGNS, *",;|\t\r\n\"' \xa0\ufeff\u200b\u2028\x85\0", *"aZ05_.é!("])
)


def seen(text: str) -> str:
    """The text without the characters that spreadsheets remove from its beginning."""
    hidden = ("C", "Z")
    at = 0
    while at < len(text) and (unicodedata.category(text[at])[0] in hidden or text[at] == '"'):
        at += 1
    return text[at:]


def runs(text: str) -> bool:
    """Whether a spreadsheet would evaluate it, and it could do more than negate a number."""
    return seen(text).startswith(tuple(SIGNS)) and not HARMLESS.fullmatch(seen(text))


def read(content: str, separator: str, quoting: int = csv.QUOTE_MINIMAL) -> list[list[str]]:
    lines = io.StringIO(content, newline="")
    return list(csv.reader(lines, delimiter=separator, quoting=quoting))


def unguarded(text: str) -> str:
    return text.replace("'", "")


@pytest.mark.parametrize("text", ATTACKS)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(text):
    guarded = cell(text)

    assert len(guarded) > len(text)
    assert unguarded(guarded) == unguarded(text)


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_NONE])
@given(rows=st.lists(st.lists(TEXTS | st.sampled_from(ATTACKS), min_size=2, max_size=4)))
def test_no_cell_runs_with_any_separator(separator, quoting, rows):
    content = "".join(csv_line(row) for row in rows)

    # A lone carriage return ends a line in spreadsheets, but not in Python's csv.
    for line in read(content.replace("\r", "\n"), separator, quoting):
        assert not [text for text in line if runs(text)]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize(
    "rows",
    [
        # Excel does so on a double click where its separator is the semicolon.
        [["-42", "1+cmd|'/C calc'!A0"]],
        # The quote that ends the first line's text begins a cell, and ends where the text begins.
        [["a", "b\n"], ["-42", "1+cmd|'/C calc'!A0;\t|,"]],
    ],
)
def test_lines_read_as_one_cell_run_nothing(separator, rows):
    content = "".join(csv_line(row) for row in rows)

    for line in read(content, separator):
        assert not [text for text in line if runs(text)]


@pytest.mark.parametrize(
    "text",
    ["-42", "-7.5", "+5", "1e5", "-1E-7", "0012", "-", "-7_retry", "-abc", "_", "a-b_C.9", "", "é"],
)
def test_numbers_and_plain_ids_stay_byte_for_byte(text):
    assert cell(text) == text
    assert read(csv_line([text, "x"]), ",") == [[text, "x"]]


@pytest.mark.parametrize(
    "text",
    ["a - b", "nightly = good", "me@example.com", "1 + 1", "it's", "a; b", "a\nb", " ", "日本語"],
)
def test_a_sign_inside_a_text_is_no_formula(text):
    assert cell(text) == text


@given(st.from_regex(r"\A[a-zA-Z0-9_-]{1,64}\Z"))
def test_every_custom_id_that_the_api_takes_stays_byte_for_byte(custom_id):
    assert csv_line([custom_id, "x"]) == f"{custom_id},x\r\n"


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2)))
def test_reading_back_gives_the_text_and_its_apostrophes(rows):
    content = b"".join(csv_blocks(["id", "label"], rows, with_bom=True)).decode("utf-8-sig")

    header, *lines = read(content, ",")

    assert header == ["id", "label"]
    assert lines == [[cell(text) for text in row] for row in rows]
    assert [[unguarded(text) for text in line] for line in lines] == [
        [unguarded(text) for text in row] for row in rows
    ]


@given(st.text(st.characters(codec="utf-8", exclude_characters=SIGNS)))
def test_text_without_a_sign_is_read_back_as_it_was(text):
    content = csv_line([text, "x"])

    assert read(content, ",") == [[cell(text), "x"]]
    assert unguarded(cell(text)) == unguarded(text)


def test_lines_end_as_rfc_4180_has_it_and_quotes_are_doubled():
    assert csv_line(['say "a, b"', 3, None]) == '"say ""a, b""",3,\r\n'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (7, "7"),
        (Decimal("1E-9"), "0.000000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.10"), "-0.1"),
        (Decimal("20.000"), "20"),
        (datetime(2026, 11, 2, 12, tzinfo=UTC), "2026-11-02T12:00:00+00:00"),
    ],
)
def test_figures_are_exact_and_unknown_ones_are_empty(value, text):
    assert cell(value) == text


def test_a_byte_order_mark_is_written_only_if_wanted():
    rows = [["Zoë", "主婦 €"]]

    with_bom = b"".join(csv_blocks(["a", "b"], rows, with_bom=True))
    without = b"".join(csv_blocks(["a", "b"], rows, with_bom=False))

    assert with_bom == BOM + without
    assert without.decode() == 'a,b\r\n"Zoë","主婦 €"\r\n'


def test_half_a_character_does_not_break_the_file():
    [_, block] = csv_blocks(["a"], [["\ud82d x", "\ud83d\ude00"]], with_bom=False)

    assert block.decode() == '"\N{REPLACEMENT CHARACTER} x","😀"\r\n'


def test_an_address_chooses_the_byte_order_mark():
    assert wants_bom(None) is True
    assert wants_bom("1") is True
    assert wants_bom("0") is False


@pytest.mark.parametrize("given", ["", "no", "true", "00", "0" * 10_000])
def test_any_other_choice_is_refused_with_a_sentence(given):
    with pytest.raises(ValueError, match="is neither 0 nor 1") as refused:
        wants_bom(given)

    assert len(str(refused.value)) < 100


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice (soffice) is not installed")
@pytest.mark.parametrize("separator", SEPARATORS)
def test_libreoffice_finds_no_formula(separator, tmp_path):
    rows = [["-42", text] for text in ATTACKS if "\0" not in text]
    given = tmp_path / "cells.csv"
    given.write_bytes(b"".join(csv_blocks(["id", "label"], rows, with_bom=True)))

    # Separator, quote, UTF-8, from the first line on.
    infilter = f"Text - txt - csv (StarCalc):{ord(separator)},34,76,1"
    subprocess.run(
        [
            *("soffice", "--headless", f"-env:UserInstallation={(tmp_path / 'home').as_uri()}"),
            *(f"--infilter={infilter}", "--convert-to", "fods", "--outdir", tmp_path, given),
        ],
        check=True,
        timeout=120,
    )

    table = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
    cells = list(ElementTree.parse(tmp_path / "cells.fods").iter(f"{table}table-cell"))
    formulas = [each.get(f"{table}formula") for each in cells]
    assert len(cells) > len(rows)
    assert not [formula for formula in formulas if formula]
