"""The error page must not need what is broken."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path, set_script_prefix

from dashboard import errors
from dashboard.access import allow_anyone

SENTENCE = "Something went wrong in Batchboard"
STATIC = Path(__file__).resolve().parents[2] / "static"


def breaks(request: HttpRequest) -> HttpResponse:
    raise LookupError("no such thing")


@pytest.fixture
def broken(settings, monkeypatch) -> Client:
    """A browser at a site with one more page, whose view raises an error."""
    urls = ModuleType("tests.broken_urls")
    urls.urlpatterns = [
        path("breaks/", allow_anyone(breaks)),
        path("", include("dashboard.urls")),
    ]
    urls.handler500 = "dashboard.errors.server_error"
    monkeypatch.setitem(sys.modules, urls.__name__, urls)
    settings.ROOT_URLCONF = urls.__name__
    return Client(raise_request_exception=False)


@pytest.fixture
def no_manifest(settings, tmp_path) -> None:
    """The state after an upgrade without collectstatic: static files have no address."""
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }


@pytest.fixture
def no_database(monkeypatch) -> None:
    def refuse(*args, **options):
        raise OperationalError("the database is gone")

    monkeypatch.setattr(connection, "ensure_connection", refuse)


@pytest.mark.parametrize(
    "trouble", [(), ("no_manifest",), ("no_database",), ("no_manifest", "no_database")]
)
def test_a_view_that_raises_gets_the_page_whatever_else_is_broken(broken, request, trouble):
    for each in trouble:
        request.getfixturevalue(each)

    response = broken.get("/breaks/")

    assert response.status_code == 500
    assert f"<h1>{SENTENCE}</h1>" in response.text
    assert "Tell an admin when it happened" in response.text


def test_a_page_without_its_static_files_gets_the_error_page(broken, db, no_manifest):
    response = broken.get("/accounts/login/")

    assert response.status_code == 500
    assert SENTENCE in response.text


def test_without_a_database_the_page_says_so(broken, no_manifest, no_database):
    broken.cookies["batchboard"] = "x" * 32

    response = broken.get("/")

    assert response.status_code == 503
    assert "The database is not available right now" in response.text


def test_its_styles_and_images_exist(rf):
    page = errors.server_error(rf.get("/")).content.decode()

    links = re.findall(r'(?:href|src)="/static/([^"]+)"', page)
    assert "css/tokens.css" in links
    assert [link for link in links if not (STATIC / link).is_file()] == []


def test_under_a_path_prefix_its_link_leads_to_the_list_there(rf):
    set_script_prefix("/batchboard/")
    try:
        page = errors.server_error(rf.get("/")).content.decode()
    finally:
        set_script_prefix("/")

    assert '<a class="button" href="/batchboard/">' in page
