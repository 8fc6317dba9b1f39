"""Fixtures for all tests."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

import httpx
import pytest
import stamina
from django.contrib.auth.models import Group, User
from hypothesis import settings as hypothesis_settings

from batches import connect
from batches.mirror.sync import sync_workspace
from batches.models import Batch, Workspace
from batches.sandbox import SandboxApi
from batches.spend import estimates
from batches.turn import Turn
from tests.working import claim

ROLES = ("viewer", "operator", "lead", "admin")
# A busy machine must not fail a test. pytest-timeout ends tests that hang. Every run tries other
# examples; on PostgreSQL fewer, which differ from those on SQLite.
EXAMPLES = 15 if os.environ.get("TEST_DATABASE_URL") else 50
hypothesis_settings.register_profile("patient", deadline=None, max_examples=EXAMPLES)
hypothesis_settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _no_estimates_kept() -> None:
    """The estimates in memory are for the workspaces of another test's database."""
    estimates.forget()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, skip the tests without a database. They are the same as on SQLite."""
    if not os.environ.get("TEST_DATABASE_URL"):
        return
    without = [item for item in items if not uses_database(item)]
    items[:] = [item for item in items if uses_database(item)]
    config.hook.pytest_deselected(items=without)


def uses_database(item: pytest.Item) -> bool:
    marked = any(map(item.get_closest_marker, ("django_db", "databases")))
    return marked or not {"db", "transactional_db"}.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxApi]:
    """The sandbox, which answers in place of the real API."""
    api = SandboxApi()
    monkeypatch.setattr(connect, "transport", api.transport)
    yield api
    connect.forget_clients()
    api.close()


@pytest.fixture
def workspace(db: None, sandbox: SandboxApi) -> Workspace:
    return Workspace.objects.create(
        name="Research", slug="research", base_url="http://sandbox", api_key=sandbox.key
    )


@pytest.fixture
def other_workspace(db: None, sandbox: SandboxApi) -> Workspace:
    return Workspace.objects.create(
        name="Production",
        slug="production",
        base_url="http://sandbox",
        api_key=sandbox.other_key,
    )


@pytest.fixture
def sync() -> Callable[..., bool]:
    """A function that runs one round of a workspace, as a worker does; True if it succeeded."""

    def one_round(workspace: Workspace, **turn) -> bool:
        Workspace.objects.filter(pk=workspace.pk).update(next_attempt_at=None)
        succeeded = sync_workspace(claim(workspace), Turn(**turn))
        workspace.refresh_from_db()
        return succeeded

    return one_round


@pytest.fixture
def mirrored(sandbox: SandboxApi, workspace: Workspace, sync) -> Callable[..., Batch]:
    """A function that adds a batch to the API, syncs, and returns its row."""

    def mirror(batch_id: str | None = None, **details) -> Batch:
        api_id = sandbox.add_batch(batch_id, **details)
        assert sync(workspace)
        return Batch.objects.select_related("workspace").get(api_id=api_id)

    return mirror


@pytest.fixture
def answering(mirrored, monkeypatch) -> Callable[..., Batch]:
    """A function that makes an ended batch whose results file has the given bytes.

    The bytes may come in pieces. A piece may be an exception, which the transport then raises.
    """

    def answering(
        pieces: bytes | Iterable[bytes | Exception], *, requests: int, **details
    ) -> Batch:
        batch = mirrored(status="ended", requests=requests, **details)
        chunks = [pieces] if isinstance(pieces, bytes) else pieces

        def stream():
            for chunk in chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk

        def answer(request: httpx.Request) -> httpx.Response:
            assert request.url.path.endswith(f"/{batch.api_id}/results")
            return httpx.Response(200, content=stream())

        connect.forget_clients()
        monkeypatch.setattr(connect, "transport", lambda: httpx.MockTransport(answer))
        return batch

    return answering


@pytest.fixture
def ended(mirrored) -> Callable[..., Batch]:
    """A function that adds an ended batch to the sandbox, syncs, and returns its row."""

    def ended(**details) -> Batch:
        return mirrored(
            status="ended", **({"requests": 20, "duration": timedelta(minutes=9)} | details)
        )

    return ended


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """A function that creates a person with a role who is a member of the workspaces."""

    def make(role: str = "", *workspaces: Workspace, name: str = "") -> User:
        user = User.objects.create_user(name or role or "nobody", password="correct horse 9")
        if role:
            user.groups.add(Group.objects.get(name=role))
        for workspace in workspaces:
            workspace.members.add(user)
        return user

    return make


@pytest.fixture
def committed(transactional_db: None) -> None:
    """A database whose changes other threads can see."""


@pytest.fixture
def no_waits() -> Iterator[None]:
    """Retries without the pauses between them."""
    stamina.set_testing(True, attempts=3, cap=True)
    yield
    stamina.set_testing(False)
