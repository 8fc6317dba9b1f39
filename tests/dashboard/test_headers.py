"""The headers of every response. The addresses come from the URLconf."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.urls import URLPattern, reverse

from dashboard import middleware
from tests.dashboard.test_matrix import own_patterns

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = ["/nowhere/", "/static/nowhere.css"]


def address(pattern: URLPattern, batch) -> str:
    """An address of the pattern for this batch; its person or workspace doesn't exist."""
    values = {
        name: batch.api_id if name == "api_id" else {"int": 987}.get(type_of(converter), "none")
        for name, converter in pattern.pattern.converters.items()
    }
    return reverse(pattern.name, kwargs=values)


def type_of(converter) -> str:
    return type(converter).__name__.removesuffix("Converter").lower()


@pytest.fixture
def answers(client, person, workspace, mirrored):
    """A function that gives the responses of every address to a person with a role, by method."""

    def answers(role: str):
        batch = mirrored(status="ended")
        addresses = [address(pattern, batch) for pattern in own_patterns()]
        user = person("" if role == "none" else role, workspace) if role else None
        for path in [*addresses, *NOWHERE]:
            for method in ("get", "head", "post", "put"):
                if user:
                    client.force_login(user)
                answer = getattr(client, method)(path)
                if answer.streaming:
                    answer.getvalue()
                yield f"{method} {path}", answer

    return answers


@pytest.mark.parametrize("role", ["", "none", "viewer", "admin"])
def test_every_response_refuses_caches_other_sites_and_unused_features(answers, role):
    seen = dict(answers(role))

    assert len(seen) > 100
    for name, answer in seen.items():
        assert {"private", "no-store"} <= set(answer["Cache-Control"].split(", ")), name
        assert answer["Content-Security-Policy"].startswith("default-src 'self';"), name
        assert answer["X-Frame-Options"] == "DENY", name
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin", name
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert answer["Permissions-Policy"] == middleware.PERMISSIONS, name


def test_the_features_that_pages_use_are_not_denied():
    assert "camera=(), " in middleware.PERMISSIONS
    # The pages copy IDs.
    assert "clipboard" not in middleware.PERMISSIONS


def test_static_files_may_be_cached_and_used_only_by_this_site(client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    (tmp_path / "page.css").write_text("a {}")

    answer = client.get("/static/page.css")

    assert answer.getvalue() == b"a {}"
    assert answer.status_code == 200
    assert "no-store" not in answer["Cache-Control"]
    assert "Access-Control-Allow-Origin" not in answer
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"


def test_refusals_before_any_view_are_not_cached_either(client, settings):
    settings.SECURE_SSL_REDIRECT = True

    to_https = client.get("/")
    unknown_host = client.get("/", headers={"Host": "evil.example"}, secure=True)

    assert (to_https.status_code, unknown_host.status_code) == (301, 400)
    for answer in (to_https, unknown_host):
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["X-Frame-Options"] == "DENY"


COOKIES = """
import json
from dashboard import settings
names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
print(json.dumps([getattr(settings, name) for name in names]))
"""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("batchboard.example", ["__Host-batchboard", "__Host-csrftoken", True, True]),
        ("localhost", ["batchboard", "csrftoken", False, False]),
    ],
)
def test_under_https_both_cookies_belong_to_this_host_alone(tmp_path, host, expected):
    ended = subprocess.run(
        [sys.executable, "-c", COOKIES],
        cwd=ROOT,
        env={"BATCHBOARD_VAR": str(tmp_path), "ALLOWED_HOSTS": host},
        capture_output=True,
        check=True,
    )

    assert json.loads(ended.stdout) == expected


def test_a_cookie_of_this_host_alone_is_for_every_path_and_no_domain(client, db, settings):
    settings.CSRF_COOKIE_NAME = "__Host-csrftoken"
    settings.CSRF_COOKIE_SECURE = True

    cookie = client.get("/accounts/login/", secure=True).cookies["__Host-csrftoken"]

    # Browsers refuse the name otherwise (RFC 6265bis).
    assert (cookie["path"], cookie["domain"], cookie["secure"]) == ("/", "", True)
