import io
import threading

import pytest
from batches.management.commands.mirror import Command, one_round, tidy
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import CommandError, call_command
from django.utils import timezone

from batches.models import Batch, Workspace
from batches.workspaces import adopt_environment


@pytest.fixture(autouse=True)
def _no_waits(no_waits):
    pass


@pytest.fixture
def once():
    """`manage.py mirror --once` in this process and thread."""

    def run() -> None:
        call_command("mirror", "--once", stdout=io.StringIO())

    return run


def test_once_mirrors_every_enabled_workspace_now(sandbox, workspace, other_workspace, once):
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


def test_a_workspace_that_another_mirror_holds_is_left_to_it(sandbox, workspace):
    Workspace.objects.claim(workspace, timezone.now())

    assert not one_round(workspace, threading.Event())

    assert sandbox.calls == []


def test_a_disabled_workspace_is_not_asked(sandbox, workspace):
    Workspace.objects.update(is_enabled=False)

    assert not Workspace.objects.due(timezone.now()).exists()


def test_the_key_in_the_environment_makes_one_workspace_and_stays_there(db, settings):
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


def test_without_a_key_nothing_is_made(db, settings):
    settings.ANTHROPIC_API_KEY = ""

    assert adopt_environment() is None
    assert not Workspace.objects.exists()


def test_ended_sessions_are_thrown_away_and_others_kept(db):
    ended, current = SessionStore(), SessionStore()
    ended.set_expiry(-1)
    for session in (ended, current):
        session.save()

    tidy()

    assert not SessionStore().exists(ended.session_key)
    assert SessionStore().exists(current.session_key)


def test_the_command_takes_only_what_the_contract_names():
    options = Command().create_parser("manage.py", "mirror").parse_args(["--once"])

    assert options.once is True
