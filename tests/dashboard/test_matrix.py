"""Every address by role and method, taken from the URLconf: a new one without a rule fails here."""

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RoutePattern

from dashboard.access import NEEDED
from dashboard.roles import ROLES

METHODS = ("get", "head", "post", "put", "patch", "delete")
# What each view answers to beside its rule; everything else is 405.
POSTS = {
    "batch-cancel", "batch-label", "batch-look-up", "batch-reread", "password-change", "login",
    "logout", "workspace-accept", "workspace-add", "workspace-delete", "workspace-edit",
}  # fmt: skip
# A verb with no page of its own.
ONLY_POSTS = {"batch-look-up", "batch-reread", "workspace-accept"}
ANYONE = {"login", "logout", "healthz", "readyz", "metrics"}
# What only a batch that has ended has.
OF_ENDED = {"batch-results"}


def own_patterns(patterns=None) -> list[URLPattern]:
    """The product's own addresses; the admin's are its site's to guard (test_admin)."""
    found = []
    for pattern in patterns or get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                found += own_patterns(pattern.url_patterns)
        else:
            found.append(pattern)
    return found


def address(pattern: URLPattern, batch) -> str:
    assert isinstance(pattern.pattern, RoutePattern)
    converters = pattern.pattern.converters
    if pattern.name.startswith("workspace-") and "pk" in converters:
        return reverse(pattern.name, args=[batch.workspace_id])
    return reverse(pattern.name, args=[batch.api_id] if "api_id" in converters else [])


def expected(pattern: URLPattern, role: str, method: str) -> set[int]:
    """The statuses that this role may get for this method, told from the rule alone."""
    rule = pattern.callback.access_rule
    if rule == "anyone":
        return {200, 302, 401, 403, 405, 503}
    if not role:
        return {302}
    if ROLES.index(role) < ROLES.index(NEEDED[rule]):
        return {403}
    if method in {"get", "head"}:
        return {405} if pattern.name in ONLY_POSTS else {200}
    if pattern.name == "password-change" and method == "put":
        # Django's own view takes a form by PUT as it does by POST.
        return {200}
    return {200, 302} if method == "post" and pattern.name in POSTS else {405}


@pytest.mark.parametrize("pattern", own_patterns(), ids=lambda pattern: pattern.name)
def test_every_address_names_its_rule(pattern):
    rule = pattern.callback.access_rule

    assert rule in {*NEEDED, "anyone"}
    assert (rule == "anyone") == (pattern.name in ANYONE)


@pytest.mark.parametrize("role", ["", "none", *ROLES])
@pytest.mark.parametrize("pattern", own_patterns(), ids=lambda pattern: pattern.name)
def test_every_address_keeps_to_its_rule_for_every_role_and_method(
    client, person, workspace, mirrored, pattern, role
):
    batch = mirrored(status="ended" if pattern.name in OF_ENDED else "in_progress")
    if role:
        client.force_login(person("" if role == "none" else role, workspace))

    for method in METHODS:
        answer = getattr(client, method)(address(pattern, batch))
        status = answer.status_code
        if answer.streaming:
            # Read to its end: one that is not keeps one of few places.
            answer.getvalue()
        allowed = expected(pattern, role, method) if role != "none" else {403}
        if pattern.callback.access_rule == "anyone":
            allowed = expected(pattern, role, method)
        assert status in allowed, (method, status)


@pytest.mark.parametrize("role", ROLES)
def test_another_teams_batch_is_not_there(
    client, person, sandbox, other_workspace, workspace, sync, role
):
    theirs = sandbox.add_batch(key=sandbox.other_key)
    sync(other_workspace)
    client.force_login(person(role, workspace))

    seen = ("batch-detail", "batch-detail-live", "batch-results", "batch-requests")
    for name in (*seen, "batch-cancel"):
        status = client.get(reverse(name, args=[theirs])).status_code
        assert status == (403 if (name, role) == ("batch-cancel", "viewer") else 404)
    assert theirs not in client.get(reverse("batch-list")).text
    assert client.post(reverse("batch-cancel", args=[theirs])).status_code in {403, 404}
    assert sandbox.accepted_cancels(theirs) == 0


def test_a_viewers_forged_cancel_is_403_and_reaches_nothing(
    client, person, workspace, mirrored, sandbox
):
    batch = mirrored()
    client.force_login(person("viewer", workspace))

    response = client.post(
        reverse("batch-cancel", args=[batch.api_id]), headers={"HX-Request": "true"}
    )

    assert response.status_code == 403
    assert sandbox.accepted_cancels(batch.api_id) == 0
    assert not batch.cancellations.exists()


def test_a_cancel_without_csrf_token_is_refused(person, workspace, mirrored, sandbox):
    batch = mirrored()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person("operator", workspace))

    response = strict.post(reverse("batch-cancel", args=[batch.api_id]))

    assert response.status_code == 403
    assert "This page expired" in response.text
    assert sandbox.accepted_cancels(batch.api_id) == 0


def test_guessing_a_password_is_locked_out(client, person):
    person("operator", name="ada")
    login = reverse("login")

    for _ in range(5):
        client.post(login, {"username": "ada", "password": "wrong"})
    locked = client.post(login, {"username": "ada", "password": "correct horse 9"})

    assert locked.status_code == 429
    assert client.get("/").status_code == 302


def test_every_page_carries_the_strict_headers(client, person, workspace, mirrored):
    batch = mirrored()
    client.force_login(person("lead", workspace))

    for path in ("/", batch.get_absolute_url(), "/audit/", "/nowhere/", "/healthz"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
