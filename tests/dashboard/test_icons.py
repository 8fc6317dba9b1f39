"""The sprite has every icon, and a page can't ask for one that it hasn't."""

import re
from pathlib import Path

import pytest

from dashboard.icons import NAMES, SPRITE, sprite
from dashboard.templatetags.batchboard import icon

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


def test_the_file_is_what_the_generator_writes():
    assert SPRITE.read_text(encoding="utf-8") == sprite()


def test_every_icon_that_a_template_names_is_in_the_sprite():
    source = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html"))

    named = set(re.findall(r'{% icon "([^"]+)"', source))

    assert "search" in named
    assert named - set(NAMES) == set()


def test_an_icon_outside_of_the_sprite_is_an_error():
    with pytest.raises(LookupError, match="not in dashboard/icons"):
        icon("no-such-icon")


def test_an_icon_is_hidden_from_screen_readers_and_drawn_from_the_file():
    assert icon("search", 20) == (
        '<svg class="icon" width="20" height="20" aria-hidden="true">'
        '<use href="/static/img/icons.svg#search"/></svg>'
    )
