"""Pages load few files when static files are collected, and the same rules when they are not."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

from dashboard.bundles import BUNDLES, joined, links, parts_of
from dashboard.launch.static import fingerprint

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"


@pytest.fixture
def collected(settings, tmp_path) -> Path:
    """The folder of the collected files, as a deployment has them."""
    settings.STATIC_ROOT = tmp_path
    settings.STATICFILES_DIRS = [STATIC]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "dashboard.bundles.BundlingStorage"}
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def test_bundles_name_every_style_sheet_and_script_and_no_other():
    named = {path for name in BUNDLES for path, _ in parts_of(name)}

    own = {str(path.relative_to(STATIC)) for path in STATIC.glob("[cj]s*/*") if path.is_file()}
    assert named == own | {"django_htmx/htmx-2.min.js"}
    assert finders.find("django_htmx/htmx-2.min.js")


def test_templates_load_every_bundle_and_nothing_beside_them():
    sources = {path: path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.html")}

    loaded = {name for text in sources.values() for name in re.findall(r'{% bundle "(.*?)"', text)}
    beside = {
        path.name
        for path, text in sources.items()
        if re.search(r"<script src|rel=.stylesheet", text)
    }
    assert loaded == set(BUNDLES)
    # Without a manifest there are no bundles either.
    assert beside == {"error.html"}


def test_without_collected_files_a_page_loads_the_sources_in_order():
    tags = links("audit.css").splitlines()

    assert [re.search(r'href="/static/([^"]+)"', tag)[1] for tag in tags] == [
        "css/filters.css",
        "css/table.css",
        "css/stacked.css",
        "css/audit.css",
    ]
    assert 'media="(width &lt; 72rem)"' in tags[2]


def test_a_collected_bundle_is_one_file_with_the_same_rules(collected):
    tag = links("audit.css")

    address = re.fullmatch(r'<link rel="stylesheet" href="/static/(bundles/audit\.\w+\.css)">', tag)
    text = (collected / address[1]).read_text(encoding="utf-8")
    places = [
        text.index(part.read_text(encoding="utf-8").strip())
        for part in (
            STATIC / "css" / f"{name}.css" for name in ("filters", "table", "stacked", "audit")
        )
    ]
    assert places == sorted(places)
    assert "@media (width < 72rem) {\n/* A table whose rows are blocks." in text
    assert (collected / f"{address[1]}.br").is_file()


def test_images_in_a_collected_bundle_have_their_hashed_names(collected):
    text = (collected / staticfiles_storage.stored_name("bundles/cards.css")).read_text()

    images = re.findall(r'url\("\.\./(img/[^"]+)"\)', text)
    assert images
    assert all(re.search(r"\.\w{12}\.svg$", image) for image in images)
    assert all((collected / image).is_file() for image in images)


def test_a_collected_list_needs_few_requests(collected, sign_in):
    page = sign_in("lead").get("/").text

    assert len(re.findall(r"<script src|rel=.stylesheet", page)) == 6


def test_scripts_in_a_bundle_do_not_run_into_each_other():
    class Files:
        def open(self, path):
            return Path(finders.find(path)).open("rb")

    text = joined("cards.js", Files()).decode()

    assert re.search(r"\}\(\);?\n;\n// Decides when htmx polls", text)


def test_other_bundles_are_noticed_as_a_change_of_the_static_files(monkeypatch, tmp_path):
    before = fingerprint()
    changed = tmp_path / "bundles.py"
    changed.write_text("BUNDLES = {}")

    monkeypatch.setattr("dashboard.bundles.__file__", str(changed))

    assert fingerprint() != before
