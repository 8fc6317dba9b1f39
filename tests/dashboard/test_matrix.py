"""Every address by role and method, from the URLconf: a new one without a rule fails here."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.urls.resolvers import RoutePattern
from django.utils import timezone

from dashboard.models import ApiToken
from dashboard.roles import ROLES

METHODS = ("get", "head", "post", "put", "patch", "delete")
PAGE, DONE, BAD_METHOD = 200, 302, 405
# The README's table of roles: who may do what each rule is about.
ALLOWED = {
    "account": {"none", "viewer", "operator", "lead", "admin"},
    "see": {"viewer", "operator", "lead", "admin"},
    "cancel": {"operator", "lead", "admin"},
    "label": {"operator", "lead", "admin"},
    "spend": {"lead", "admin"},
    "audit": {"lead", "admin"},
    "export": {"lead", "admin"},
    "manage": {"admin"},
}
# The answer to an empty form: the page again, which says what is missing, or a redirect if nothing
# is missing.
POSTS = {
    "batch-cancel": DONE,
    "batch-label": DONE,
    "batch-look-up": DONE,
    "batch-reread": DONE,
    "batch-resubmits": DONE,
    "workspace-add": PAGE,
    "workspace-edit": PAGE,
    "workspace-delete": PAGE,
    "workspace-accept": DONE,
    "person-add": PAGE,
    "person-edit": PAGE,
    "person-link": PAGE,
    "person-sign-out": DONE,
    "password-change": PAGE,
    "sign-out-others": DONE,
    "display": DONE,
    "token-list": PAGE,
    "token-revoke": DONE,
}
# Addresses without a page.
ONLY_POSTS = {
    "batch-look-up", "batch-reread", "batch-resubmits", "workspace-accept", "person-link",
    "person-sign-out", "sign-out-others", "display",
}  # fmt: skip
# By method: the status for someone not signed in, and for someone signed in. Other methods get 405.
READ = {"get": (PAGE, PAGE), "head": (PAGE, PAGE)}
ANYONE = {
    # Redirects those who are signed in.
    "login": {"get": (PAGE, DONE), "head": (PAGE, DONE), "post": (PAGE, DONE)},
    "logout": {"post": (DONE, DONE)},
    # A link that can't be used says so.
    "password-link": {**READ, "post": (PAGE, PAGE)},
    "healthz": READ,
    "readyz": READ,
    # For a token or a superuser.
    "metrics": {"get": (401, 403), "head": (401, 403)},
}
# Addresses that only exist for a batch that has ended.
OF_ENDED = {"batch-results"}


def own_patterns(patterns=None) -> list[URLPattern]:
    found = []
    for pattern in patterns or get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):
            found += own_patterns(pattern.url_patterns)
        else:
            found.append(pattern)
    return found


def address(pattern: URLPattern, batch, someone: User | None = None) -> str:
    """The pattern's address for the batch, its workspace, a member, or someone's own token."""
    assert isinstance(pattern.pattern, RoutePattern)
    converters = set(pattern.pattern.converters)
    if "api_id" in converters:
        return reverse(pattern.name, args=[batch.api_id])
    if "token" in converters:
        return reverse(pattern.name, args=["MQ", "no-such-token"])
    if "rest" in converters:
        return reverse(pattern.name, args=["no/such/route"])
    if pattern.name == "token-revoke":
        return reverse(pattern.name, args=[token_of(someone or colleague(batch.workspace)).pk])
    if "pk" in converters and pattern.name.startswith("workspace-"):
        return reverse(pattern.name, args=[batch.workspace_id])
    if "pk" in converters and pattern.name.startswith("person-"):
        return reverse(pattern.name, args=[colleague(batch.workspace).pk])
    assert not converters, f"{pattern.name} needs an argument that this test doesn't know."
    return reverse(pattern.name)


def token_of(person: User) -> ApiToken:
    now = timezone.now()
    columns = {"created_at": now, "expires_at": now + timedelta(days=1)}
    return ApiToken.objects.get_or_create(person=person, token_hash="unknown", defaults=columns)[0]


def colleague(workspace) -> User:
    person, _ = User.objects.get_or_create(username="colleague")
    workspace.members.add(person)
    return person


def expected(pattern: URLPattern, role: str, method: str) -> int:
    """The status for a person with this role; "" isn't signed in, "none" has no role."""
    rule = pattern.callback.access_rule
    if rule == "token":
        # A session's cookie is not a token. tests/dashboard/api has the matrix of tokens.
        return 401
    if rule == "anyone":
        return ANYONE[pattern.name].get(method, (BAD_METHOD,) * 2)[bool(role)]
    if not role:
        return DONE
    if role not in ALLOWED[rule]:
        return 403
    if method in {"get", "head"}:
        return BAD_METHOD if pattern.name in ONLY_POSTS else PAGE
    return POSTS.get(pattern.name, BAD_METHOD) if method == "post" else BAD_METHOD


@pytest.mark.parametrize("pattern", own_patterns(), ids=lambda pattern: pattern.name)
def test_every_address_names_its_rule(pattern):
    rule = pattern.callback.access_rule

    assert rule in {*ALLOWED, "anyone", "token"}
    assert (rule == "anyone") == (pattern.name in ANYONE)


@pytest.mark.parametrize("role", ["", "none", *ROLES])
@pytest.mark.parametrize("pattern", own_patterns(), ids=lambda pattern: pattern.name)
def test_every_address_follows_its_rule_for_every_role_and_method(
    client, person, workspace, mirrored, pattern, role
):
    batch = mirrored(status="ended" if pattern.name in OF_ENDED else "in_progress")
    someone = person("" if role == "none" else role, workspace) if role else None
    wanted = {method: expected(pattern, role, method) for method in METHODS}
    answered = {}

    for method in METHODS:
        if someone:
            # Before every request, because one of the addresses signs out.
            client.force_login(someone, backend="dashboard.roles.RoleBackend")
        answer = getattr(client, method)(address(pattern, batch, someone))
        answered[method] = answer.status_code
        if answer.streaming:
            # An answer that is not read to its end keeps one of few places.
            answer.getvalue()

    assert answered == wanted


@pytest.mark.parametrize("role", ROLES)
def test_another_teams_batch_is_not_there(
    client, person, sandbox, other_workspace, workspace, sync, role
):
    other = sandbox.add_batch(key=sandbox.other_key)
    sync(other_workspace)
    client.force_login(person(role, workspace))

    seen = ("batch-detail", "batch-detail-live", "batch-results", "batch-requests")
    for name in (*seen, "batch-cancel"):
        status = client.get(reverse(name, args=[other])).status_code
        assert status == (403 if (name, role) == ("batch-cancel", "viewer") else 404)
    assert other not in client.get(reverse("batch-list")).text
    assert client.post(reverse("batch-cancel", args=[other])).status_code in {403, 404}
    assert sandbox.accepted_cancels(other) == 0


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
