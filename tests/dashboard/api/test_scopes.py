"""Every route by the token's scope and its owner's role, and what a token sees."""

import json

import pytest
from django.test import Client

from batches.models import AuditEvent
from dashboard.api.description import path_of
from dashboard.api.operations import Endpoint
from dashboard.roles import ROLES
from tests.dashboard.api.conftest import ROOT, give_token, kind, program
from tests.dashboard.test_matrix import own_patterns

SCOPES = ("read", "label", "cancel", "spend")
# Method and path: the scope, the lowest role, and the status of a good answer.
ROUTES = {
    ("GET", "me"): ("", "", 200),
    ("GET", "openapi.json"): ("", "", 200),
    ("GET", "batches"): ("read", "viewer", 200),
    ("GET", "batches/{id}"): ("read", "viewer", 200),
    ("PATCH", "batches/{id}"): ("label", "operator", 200),
    ("POST", "batches/{id}/cancel"): ("cancel", "operator", 200),
    ("GET", "batches/{id}/failures"): ("read", "viewer", 200),
    ("GET", "spend"): ("spend", "lead", 200),
}
BODIES = {"PATCH": {"label": "nightly"}}


def call(client: Client, method: str, path: str, api_id: str):
    return client.generic(
        method,
        f"{ROOT}/{path.replace('{id}', api_id)}",
        json_of(BODIES.get(method)),
        content_type="application/json",
    )


def json_of(body) -> bytes:
    return json.dumps(body).encode() if body else b""


def test_the_table_has_every_route():
    described = {
        (method, path_of(pattern))
        for pattern in own_patterns()
        if isinstance(pattern.callback, Endpoint)
        for method in pattern.callback.operations
    }

    assert described == set(ROUTES)


@pytest.mark.parametrize("role", ["none", *ROLES])
def test_a_token_may_do_what_both_its_scope_and_its_owners_role_allow(
    person, workspace, mirrored, role
):
    batch = mirrored()
    owner = person("" if role == "none" else role, workspace, name="ada")
    programs = {
        scope: program(give_token(owner, scope, workspaces=[workspace])) for scope in SCOPES
    }
    rank = ("", *ROLES).index("" if role == "none" else role)
    wanted, answered = {}, {}

    for (method, path), (needed, lowest, good) in ROUTES.items():
        for scope, client in programs.items():
            answer = call(client, method, path, batch.api_id)
            if needed not in {"", scope}:
                expected = "missing-scope"
            elif rank < ("", *ROLES).index(lowest):
                expected = "missing-role"
            else:
                expected = good
            wanted[method, path, scope] = expected
            is_good = answer.status_code < 400
            answered[method, path, scope] = answer.status_code if is_good else kind(answer)

    assert answered == wanted


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_without_a_token_is_401_and_no_redirect(client, row, method, path):
    row("msgbatch_1")

    answer = call(client, method, path, "msgbatch_1")

    assert (answer.status_code, kind(answer)) == (401, "no-token")


@pytest.mark.parametrize(("method", "path"), [each for each in ROUTES if "{id}" in each[1]])
def test_a_batch_outside_the_tokens_workspaces_is_not_there(
    person, row, workspace, other_workspace, sandbox, method, path
):
    row("msgbatch_theirs", workspace=other_workspace)
    # The owner could see it in a browser.
    owner = person("lead", workspace, other_workspace, name="ada")
    text = give_token(owner, *SCOPES, workspaces=[workspace])

    answer = call(program(text), method, path, "msgbatch_theirs")

    if method == "PATCH":
        # As for any ID that is not mirrored in the token's workspace, so it says nothing.
        assert answer.status_code == 202
        assert answer.json()["workspace"] == "research"
    else:
        assert (answer.status_code, kind(answer)) == (404, "not-found")
    assert sandbox.accepted_cancels("msgbatch_theirs") == 0


def test_a_membership_that_ended_ends_what_the_token_sees(person, row, workspace):
    row("msgbatch_1")
    owner = person("lead", workspace, name="ada")
    client = program(give_token(owner, "read", workspaces=[workspace]))
    before = client.get(f"{ROOT}/batches").json()["batches"]

    workspace.members.remove(owner)

    after = client.get(f"{ROOT}/batches").json()
    assert len(before) == 1
    assert (after["batches"], after["workspaces"]) == ([], [])


def test_a_superusers_token_sees_only_its_workspaces(admin_user, row, workspace, other_workspace):
    row("msgbatch_1")
    row("msgbatch_2", workspace=other_workspace)
    client = program(give_token(admin_user, "read", workspaces=[workspace]))

    listed = client.get(f"{ROOT}/batches").json()["batches"]

    assert [batch["id"] for batch in listed] == ["msgbatch_1"]


def test_a_refusal_names_what_is_missing_and_is_in_the_audit(token, row):
    row("msgbatch_1")
    client = token("read", "cancel", role="viewer")

    scope, role = (
        client.patch(f"{ROOT}/batches/msgbatch_1", {"label": "x"}, "application/json"),
        client.post(f"{ROOT}/batches/msgbatch_1/cancel"),
    )

    assert scope.json()["scope"] == "label"
    assert 'error="insufficient_scope", scope="label"' in scope["WWW-Authenticate"]
    assert role.json()["role"] == "operator"
    assert "You need the operator role to cancel batches." in role.json()["detail"]
    events = AuditEvent.objects.filter(action="action refused").order_by("pk")
    assert [(each.actor, each.token, each.batch_api_id) for each in events] == [
        ("ada", "ci", "msgbatch_1"),
        ("ada", "ci", "msgbatch_1"),
    ]
