import io
import threading

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from batches import connect
from batches.mirror.workspaces import adopt_environment
from batches.models import Batch, Workspace
from batches.worker.chores import delete_old
from dashboard.sessions import SessionStore


@pytest.fixture(autouse=True)
def _no_waits(no_waits):
    pass


@pytest.fixture
def once(committed):
    """`manage.py worker --once` in this process."""

    def run(*options: str) -> None:
        call_command("worker", "--once", *options, stdout=io.StringIO())

    return run


def test_once_syncs_every_enabled_workspace_now(sandbox, workspace, other_workspace, once):
    mine, theirs = sandbox.add_batch(), sandbox.add_batch(key=sandbox.other_key)
    Workspace.objects.update(next_attempt_at=timezone.now() + timezone.timedelta(hours=1))

    once()

    assert set(Batch.objects.values_list("api_id", "workspace__slug")) == {
        (mine, "research"),
        (theirs, "production"),
    }


def test_once_fails_when_one_workspace_failed_and_names_it(
    sandbox, workspace, other_workspace, once
):
    sandbox.add_batch()
    Workspace.objects.filter(pk=other_workspace.pk).update(api_key="sandbox-wrong")

    with pytest.raises(CommandError, match="Production"):
        once()

    assert Batch.objects.count() == 1


def test_once_without_a_workspace_says_what_to_do(db, once):
    with pytest.raises(CommandError, match="ANTHROPIC_API_KEY"):
        once()


def test_the_key_in_the_environment_makes_one_workspace_and_is_not_stored(db, settings):
    settings.ANTHROPIC_API_KEY = "sk-from-outside"
    settings.ANTHROPIC_BASE_URL = "https://api.example.com"

    first, second = adopt_environment(), adopt_environment()

    assert first == second
    assert first.key == "sk-from-outside"
    assert first.api_key == ""
    assert first.base_url == "https://api.example.com"


def test_a_taken_name_does_not_keep_the_environments_workspace_out(db, settings):
    settings.ANTHROPIC_API_KEY = "sk-from-outside"
    Workspace.objects.create(name="Default", slug="mine", api_key="k")

    assert adopt_environment().slug == "default-2"


def test_two_processes_that_adopt_it_at_once_make_one_workspace(committed, settings):
    settings.ANTHROPIC_API_KEY = "sk-from-outside"
    start = threading.Barrier(8)
    made = []

    def adopt() -> None:
        start.wait()
        try:
            made.append(adopt_environment())
        finally:
            connection.close()

    threads = [threading.Thread(target=adopt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 8
    assert set(made) == {Workspace.objects.get()}


def test_a_token_alone_makes_the_workspace_and_is_sent_as_bearer(db, settings):
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_AUTH_TOKEN = "", "tok-abc"

    workspace = adopt_environment()

    assert (workspace.key, workspace.sent_as) == ("tok-abc", "bearer")


def test_the_environments_headers_and_workspace_go_with_every_call(db, settings, monkeypatch):
    settings.ANTHROPIC_API_KEY = "sk-from-outside"
    settings.ANTHROPIC_CUSTOM_HEADERS = {"x-tenant": "team-7"}
    settings.ANTHROPIC_WORKSPACE_ID = "wrkspc_9"
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        return httpx.Response(200, json={"data": [], "has_more": False})

    monkeypatch.setattr(connect, "transport", lambda: httpx.MockTransport(answer))
    connect.client_for(adopt_environment()).list_page()
    connect.forget_clients()

    assert sent[0]["x-tenant"] == "team-7"
    assert sent[0]["anthropic-workspace-id"] == "wrkspc_9"


def test_without_a_key_nothing_is_made(db, settings):
    settings.ANTHROPIC_API_KEY = ""

    assert adopt_environment() is None
    assert not Workspace.objects.exists()


def test_expired_sessions_are_deleted_and_others_kept(db):
    expired, current = SessionStore(), SessionStore()
    expired.set_expiry(-1)
    for session in (expired, current):
        session.save()

    delete_old()

    assert not SessionStore().exists(expired.session_key)
    assert SessionStore().exists(current.session_key)


def test_an_unknown_kind_of_work_is_refused_with_the_known_ones(db):
    with pytest.raises(
        CommandError, match=r"'polling'.*cancel, sync, results, report, tidy, reread"
    ):
        call_command("worker", "--only", "polling", "--once")
