"""Whose token works, and how often it may be used."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard import api_tokens, logs
from dashboard.models import ApiToken
from dashboard.roles import give_role
from tests.dashboard.api.conftest import ROOT, give_token, kind, program

NOON = datetime(2026, 11, 24, 12, 0, 10, tzinfo=UTC)


@pytest.fixture
def ada(person, workspace) -> User:
    return person("lead", workspace, name="ada")


@pytest.fixture
def text(ada, workspace) -> str:
    return give_token(ada, "read", "spend", workspaces=[workspace])


def test_a_token_says_whose_it_is_and_what_it_can_do(ada, text, workspace):
    give_role(ada, "viewer")

    me = program(text).get(f"{ROOT}/me").json()

    assert me["person"] == {"username": "ada", "role": "viewer"}
    assert me["token"]["scopes"] == ["read", "spend"]
    assert me["token"]["may"] == ["read"]
    assert [each["slug"] for each in me["workspaces"]] == ["research"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YWRhOmNvcnJlY3QgaG9yc2UgOQ=="},
        {"X-Api-Key": "bb_0"},
    ],
)
def test_without_a_bearer_token_the_answer_is_401(client, db, headers):
    answer = client.get(f"{ROOT}/me", headers=headers)

    assert (answer.status_code, kind(answer)) == (401, "no-token")
    assert answer["WWW-Authenticate"] == 'Bearer realm="Batchboard"'


def test_a_token_in_the_address_is_not_read(client, text):
    for name in ("token", "access_token"):
        assert client.get(f"{ROOT}/me", {name: text}).status_code == 401


def test_a_session_doesnt_authenticate_and_a_token_needs_none(ada, text, mirrored):
    batch = mirrored()
    # No CSRF token is sent either: without cookies there is nothing to forge.
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada, backend="dashboard.roles.RoleBackend")

    with_cookie = strict.post(f"{ROOT}/batches/{batch.api_id}/cancel")

    assert kind(with_cookie) == "no-token"
    answer = program(text).get(f"{ROOT}/me")
    assert answer.status_code == 200
    assert not answer.cookies


def test_a_token_that_ended_says_why(ada, text):
    now = timezone.now()
    call = program(text)

    ApiToken.objects.update(expires_at=now)
    expired = call.get(f"{ROOT}/me")
    ApiToken.objects.update(expires_at=now + timedelta(days=1), revoked_at=now)
    revoked = call.get(f"{ROOT}/me")
    ApiToken.objects.update(revoked_at=None)
    User.objects.update(is_active=False)
    inactive = call.get(f"{ROOT}/me")

    answers = [expired, revoked, inactive]
    assert [each.status_code for each in answers] == [401, 401, 401]
    kinds = ["expired-token", "revoked-token", "inactive-person"]
    assert [kind(each) for each in answers] == kinds
    assert all('error="invalid_token"' in each["WWW-Authenticate"] for each in answers)


def test_a_changed_password_doesnt_end_a_token(ada, text):
    ada.set_password("another one 123")
    ada.save()

    assert program(text).get(f"{ROOT}/me").status_code == 200


def test_a_mistyped_token_is_recognized_without_the_database(
    text, django_assert_num_queries, client
):
    swapped = text[:10] + ("a" if text[10] != "a" else "b") + text[11:]

    with django_assert_num_queries(0):
        answer = client.get(f"{ROOT}/me", headers={"Authorization": f"Bearer {swapped}"})

    assert kind(answer) == "unknown-token"


def test_only_a_hash_of_a_token_is_stored(text):
    [row] = ApiToken.objects.values()

    assert text not in repr(row)
    assert row["token_hash"] == api_tokens.hashed(text)
    assert len({api_tokens.new_text() for _ in range(50)}) == 50
    assert api_tokens.is_token(text)
    assert len(text) == 41


def test_failures_lock_the_address_for_a_while_and_no_other(text):
    with time_machine.travel(NOON, tick=False) as clock:
        wrong, right = program(api_tokens.new_text()), program(text)
        failures = [wrong.get(f"{ROOT}/me").status_code for _ in range(20)]
        locked, elsewhere = (
            right.get(f"{ROOT}/me"),
            right.get(f"{ROOT}/me", REMOTE_ADDR="192.0.2.9"),
        )
        clock.shift(timedelta(minutes=15, seconds=1))
        later = right.get(f"{ROOT}/me")

    assert failures == [401] * 20
    assert (locked.status_code, kind(locked)) == (429, "too-many-failures")
    assert 890 <= int(locked["Retry-After"]) <= 901
    assert (elsewhere.status_code, later.status_code) == (200, 200)


def test_an_expired_token_in_a_forgotten_job_locks_no_one_out(ada, text, workspace):
    ApiToken.objects.update(expires_at=timezone.now())
    other = program(give_token(ada, "read", workspaces=[workspace], name="other"))
    old = program(text)

    for _ in range(25):
        assert old.get(f"{ROOT}/me").status_code == 401

    assert other.get(f"{ROOT}/me").status_code == 200


def test_a_token_can_make_120_calls_a_minute(text, ada, workspace):
    other = program(give_token(ada, "read", workspaces=[workspace], name="other"))
    with time_machine.travel(NOON, tick=False) as clock:
        call = program(text)
        allowed = {call.get(f"{ROOT}/me").status_code for _ in range(120)}
        refused, others = call.get(f"{ROOT}/me"), other.get(f"{ROOT}/me")
        clock.shift(timedelta(seconds=50))
        next_minute = call.get(f"{ROOT}/me")

    assert allowed == {200}
    assert (refused.status_code, kind(refused)) == (429, "too-many-calls")
    assert refused["Retry-After"] == "50"
    assert (others.status_code, next_minute.status_code) == (200, 200)


def test_other_processes_count_for_the_same_token(text):
    with time_machine.travel(NOON, tick=False):
        call = program(text)
        for _ in range(60):
            call.get(f"{ROOT}/me")
        # Another process begins with an empty memory and the same database.
        api_tokens._counts.clear()
        statuses = [call.get(f"{ROOT}/me").status_code for _ in range(80)]

    assert 60 <= statuses.count(200) <= 60 + api_tokens.COUNTED_AT_ONCE
    assert statuses[-1] == 429


def test_the_last_use_is_written_once_a_minute(text, django_assert_num_queries):
    with time_machine.travel(NOON, tick=False) as clock:
        call = program(text)
        call.get(f"{ROOT}/me")
        clock.shift(timedelta(seconds=5))
        # The token, the role and the workspaces.
        with django_assert_num_queries(3):
            call.get(f"{ROOT}/me")
        assert ApiToken.objects.get().last_used_at == NOON
        clock.shift(timedelta(minutes=1))
        call.get(f"{ROOT}/me")

    assert ApiToken.objects.get().last_used_at == NOON + timedelta(seconds=65)


def test_plain_http_is_refused_where_https_is_required(text, settings):
    settings.SECURE_SSL_REDIRECT = True

    plain = program(text).get(f"{ROOT}/me")

    assert (plain.status_code, kind(plain)) == (403, "https-required")
    assert program(text).get(f"{ROOT}/me", secure=True).status_code == 200


def test_no_token_gets_into_the_log(text, caplog, client):
    caplog.set_level(logging.DEBUG)
    wrong = api_tokens.new_text()

    program(text).get(f"{ROOT}/no/such/route")
    program(wrong).get(f"{ROOT}/me")
    client.get(f"{ROOT}/me", {"token": text})

    shown = [
        logs.hide_secrets(None, "", {"event": str(record.msg), "request": record.getMessage()})
        for record in caplog.records
    ]
    assert shown
    assert text not in repr(shown)
    assert wrong not in repr(shown)
    assert "bb_…" in repr(shown)


def test_an_unknown_route_is_a_problem_and_so_is_a_wrong_method(text):
    call = program(text)

    missing, wrong = call.get(f"{ROOT}/batch"), call.delete(f"{ROOT}/me")

    assert (missing.status_code, kind(missing)) == (404, "not-found")
    assert (wrong.status_code, kind(wrong)) == (405, "method-not-allowed")
    assert wrong["Allow"] == "GET"
    assert kind(call.get("/api/v2/me")) == "not-found"


def test_a_host_that_isnt_allowed_gets_a_problem_and_no_page(text):
    answer = program(text).get(f"{ROOT}/me", HTTP_HOST="evil.example")

    assert (answer.status_code, kind(answer)) == (400, "bad-request")


def test_a_mistyped_parameter_is_refused_rather_than_ignored(text):
    answer = program(text).get(f"{ROOT}/me", {"verbose": "1"})

    assert (answer.status_code, kind(answer)) == (400, "invalid-query")
    assert "“verbose”" in answer.json()["detail"]


def test_a_problem_names_the_call_as_the_log_does(text):
    first, second = (program(text).get(f"{ROOT}/none").json()["request_id"] for _ in range(2))

    assert first
    assert first != second
