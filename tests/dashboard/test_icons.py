"""The sprite has every icon, and a page can't ask for one that it hasn't."""

import re
from pathlib import Path

import pytest

from dashboard.cards import COST_ICONS, ICONS
from dashboard.icons import NAMES, ROW, SPRITE, sprite
from dashboard.templatetags.batchboard import icon

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
CARD_STYLES = ROOT / "static" / "css" / "card.css"


def test_the_file_is_what_the_generator_writes():
    assert SPRITE.read_text(encoding="utf-8") == sprite()


def test_every_icon_that_a_template_names_is_in_the_sprite():
    source = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html"))

    named = set(re.findall(r'{% icon "([^"]+)"', source))

    assert "search" in named
    assert named - set(NAMES) == set()


def test_a_card_shows_the_icon_of_its_state_and_of_its_unknown_cost():
    styles = CARD_STYLES.read_text(encoding="utf-8")

    places = {}
    for line in styles.splitlines():
        if place := re.search(r"--place: (\d+);", line):
            for state in re.findall(r'data-(?:status|outcome|cost-state)="(\w+)"', line):
                places[state] = ROW[int(place[1])]
    assert places == {
        state: icon
        for state, icon in (ICONS | COST_ICONS).items()
        if state not in {"unknown", "deleted"}
    }
    assert f"* 100% / {len(ROW) - 1}) 0 / {len(ROW)}00% 100%" in styles


def test_an_icon_outside_of_the_sprite_is_an_error():
    with pytest.raises(LookupError, match="not in dashboard/icons"):
        icon("no-such-icon")


def test_an_icon_is_hidden_from_screen_readers_and_drawn_from_the_file():
    assert icon("search", 20) == (
        '<svg class="icon" width="20" height="20" aria-hidden="true">'
        '<use href="/static/img/icons.svg#search"/></svg>'
    )
