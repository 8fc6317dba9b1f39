"""The icons that pages use, as one file: `python -m dashboard.icons` writes it."""

import sys
from pathlib import Path
from xml.etree import ElementTree

from lucide.templatetags.lucide import lucide

SPRITE = Path(__file__).resolve().parent.parent / "static" / "img" / "icons.svg"
# As an image, the file is these in a row: css/card.css shows the one at a place.
ROW = (
    *("circle-question-mark", "circle-dashed", "hourglass", "circle-check", "circle-alert"),
    *("circle-x", "ban", "timer-off", "calendar-x", "trash-2", "clock", "file-x", "archive-x"),
)
# Lucide's names. A page can use no others.
NAMES = (
    *("archive", "archive-x", "arrow-left", "ban", "calendar-x", "check"),
    *("chevron-down", "chevron-left", "chevron-right", "circle-alert", "circle-check"),
    *("circle-dashed", "circle-pause"),
    *("circle-question-mark", "circle-user", "circle-x", "clock", "coins", "copy", "download"),
    *("file-x", "hourglass", "inbox", "key-round", "keyboard", "log-out", "menu"),
    *("pause", "pencil", "play", "plus", "printer", "rotate-cw", "scroll-text", "search"),
    *("sliders-horizontal", "terminal", "timer-off", "trash-2", "triangle-alert", "user-plus"),
    *("users", "x"),
)


def sprite() -> str:
    """The SVG file with a symbol for each of NAMES, which shows those of ROW, each 24 wide."""
    symbols = "\n".join(symbol(name) for name in NAMES)
    row = "\n".join(
        f'<use href="#{name}" x="{24 * place}" width="24" height="24"/>'
        for place, name in enumerate(ROW)
    )
    width = 24 * len(ROW)
    size = f'width="{width}" height="24" viewBox="0 0 {width} 24"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{symbols}\n{row}\n</svg>\n'


def symbol(name: str) -> str:
    """Raises IconDoesNotExist for a name that Lucide doesn't have."""
    drawing = ElementTree.fromstring(lucide(name))  # noqa: S314
    shapes = "".join(ElementTree.tostring(shape, encoding="unicode").strip() for shape in drawing)
    return (
        f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        f'stroke-width="2" stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
    )


if __name__ == "__main__":
    SPRITE.write_text(sprite(), encoding="utf-8")
    sys.stdout.write(f"Wrote {len(NAMES)} icons to {SPRITE}.\n")
