"""Reads tables, links, tiles and CSV files as text."""

import csv
import html
import io
import re
from html.parser import HTMLParser


class Tables(HTMLParser):
    """Every table of a page by its caption, as rows of text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, list[list[str]]] = {}
        self._caption = self._in = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self._caption = ""
        if tag == "tr":
            self.found.setdefault(self._caption, []).append([])
        if tag in {"caption", "th", "td"}:
            self._in = tag
            if tag != "caption":
                self.found[self._caption][-1].append("")

    def handle_endtag(self, tag):
        if tag == self._in:
            self._in = ""

    def handle_data(self, data):
        words = " ".join(data.split())
        if self._in == "caption":
            self._caption += words
        elif self._in and words:
            self.found[self._caption][-1][-1] += (
                f" {words}" if self.found[self._caption][-1][-1] else words
            )


def table(page: str, caption: str) -> list[list[str]]:
    [rows] = [rows for name, rows in Tables(page).found.items() if caption in name]
    return rows


def links(part: str) -> list[tuple[str, str]]:
    """The text and the address of each link."""
    found = re.findall(r'<a href="([^"]+)"[^>]*>(.*?)</a>', part, re.DOTALL)
    return [(re.sub("<[^>]+>", "", words), html.unescape(href)) for href, words in found]


def csv_cells(answer) -> list[list[str]]:
    """The rows of a CSV answer, its header first, as Python's csv and pandas read them."""
    text = answer.getvalue().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def csv_table(answer) -> list[dict[str, str]]:
    """The rows of a CSV answer by the names of its columns."""
    header, *rows = csv_cells(answer)
    assert len(set(header)) == len(header)
    return [dict(zip(header, row, strict=True)) for row in rows]


def words_of(page: str, id: str) -> str:
    tile = page.partition(f'<div class="tile" id="{id}">')[2].partition("</div>")[0]
    return " ".join(re.sub("<[^>]+>", " ", html.unescape(tile)).split())


def words_of_section(page: str, id: str) -> str:
    section = re.split(rf'<section [^>]*id="{id}"[^>]*>', page)[1].partition("</section>")[0]
    return " ".join(re.sub("<[^>]+>", " ", html.unescape(section)).split())
