"""The language of pages, code and docs: American English, and no words that were retired."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("batches", "dashboard", "templates", "static/js", "static/css", "tests", "docs")
ENDINGS = {".css", ".html", ".js", ".md", ".py", ".toml"}
# By what to write instead.
RETIRED = {
    "cancellation": r"\bwish(es|ed)?\b",
    "a person, or someone": r"\b(whoever|somebody)\b",
    "compute, estimate": r"\breckon(s|ed|ing)?\b",
    "again": r"\banew\b",
    "depends on": r"\bhangs? on\b",
    "or even, if only": r"\bbe it\b",
    "Anthropic": r"\bthe vendor\b",
    "American spelling": (
        r"\b(colou?red by|colours?|coloured|behaviours?|organis\w+|recognis\w+|neighbour\w*"
        r"|favour\w*|centre[ds]?|catalogue|cancell(ed|ing)\b(?!\()|labell(ed|ing))\b"
    ),
    "30.9%, without a space": r"\d %(?![\w(}])",
    "nothing: readers have no such file": r"\b(ux|words|style)\.md\b",
}
# Wording of pages and messages that was replaced.
REPLACED = [
    "Against the vendor",
    "Asked at",
    "Asked by",
    "Batch id, person or act",
    "Cancel asked by",
    "Canceled too late",
    "Cost lost",
    "Deleted at the API",
    "Found gone",
    "Leave unchanged",
    "Names the batch at the API",
    "Not in it",
    "Not in the figures",
    "Nothing was different",
    "Results that will be lost next",
    "The arithmetic",
    "There is no such download",
    "This form is out of date",
    "What has not begun expires",
    "What stood here has moved",
    "What the mirror saw",
    "brought up to date",
    "cancel the batch that has focus; it asks first",
    "for the last word",
    "had expired at the API",
    "it is tried again until",
    "last told it",
    "none tallied yet",
    "nobody can tell half a file",
    "stops the one that should not run",
    "than the 200 that can be sought",
    "then stand here",
    "This browser lets no page copy here",
    "what came of it",
    "without it all come",
]
# Events keep the words that they were recorded with.
OLD_DATA = re.compile(r"/migrations/")


@cache
def tracked() -> dict[Path, str]:
    """The texts of the files in which words are looked for."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a Git checkout")
    names = subprocess.run(
        ["git", "ls-files", *FOLDERS, "*.md", "pyproject.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    here = Path(__file__).relative_to(ROOT)
    paths = [Path(name) for name in names if not OLD_DATA.search(name)]
    return {
        path: (ROOT / path).read_text()
        for path in paths
        if path.suffix in ENDINGS and path != here and (ROOT / path).exists()
    }


def found(pattern: str, texts: dict[Path, str]) -> list[str]:
    """Where the pattern occurs: file, line and the words around it."""
    words = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    places = []
    for path, text in texts.items():
        # The whole file first, because nearly none has them.
        lines = enumerate(text.splitlines() if words.search(text) else [], start=1)
        for number, line in lines:
            if match := words.search(line):
                places.append(f"{path}:{number}: {line[max(0, match.start() - 30) :][:90]}")
    return places


@pytest.mark.parametrize("instead", RETIRED)
def test_retired_words_occur_nowhere(instead):
    places = found(RETIRED[instead], tracked())

    assert not places, f"Write {instead}:\n" + "\n".join(places)


@pytest.mark.parametrize("words", REPLACED)
def test_pages_use_the_new_wording(words):
    pages = {"batches", "dashboard", "templates"}
    shown = {path: text for path, text in tracked().items() if path.parts[0] in pages}

    places = found(re.escape(words), shown)

    assert not places, "\n".join(places)


def test_the_check_finds_what_it_looks_for():
    """A check of the check: each pattern finds its own word."""
    samples = {
        "cancellation": "the wish is stored",
        "a person, or someone": "whoever pressed",
        "compute, estimate": "Reckoned once",
        "again": "read anew",
        "depends on": "it hangs on the price",
        "or even, if only": "be it a part",
        "Anthropic": "the vendor’s report",
        "American spelling": "in another colour",
        "30.9%, without a space": "30.9 % more",
        "nothing: readers have no such file": "(ux.md 3)",
    }

    assert samples.keys() == RETIRED.keys()
    assert [
        name for name, text in samples.items() if not re.search(RETIRED[name], text, re.IGNORECASE)
    ] == []
