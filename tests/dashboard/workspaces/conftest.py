"""A sandbox whose keys look like Anthropic's, and the browser of an admin."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from django.test import Client

from batches import connect
from batches.models import Workspace
from batches.sandbox import SandboxApi
from tests.dashboard.workspaces.page import at_anthropic, edit_url, like_anthropic


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxApi]:
    yield from like_anthropic(monkeypatch)


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    return at_anthropic(workspace)


@pytest.fixture
def url(workspace: Workspace) -> str:
    """The address of Research's form."""
    return edit_url(workspace)


@pytest.fixture
def admin(sign_in) -> Client:
    """The browser of an admin who is a member of Research."""
    return sign_in("admin", name="grace")


@pytest.fixture
def root(client, admin_user) -> Client:
    """The browser of a superuser, who is a member of nothing."""
    client.force_login(admin_user, backend="dashboard.roles.RoleBackend")
    return client


@pytest.fixture
def answer_with(monkeypatch) -> Callable[..., list[httpx.Request]]:
    """A function that answers every call with a response, and returns the list of requests."""

    def answer_with(status: int = 200, **content) -> list[httpx.Request]:
        requests: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            return httpx.Response(status, **content)

        connect.forget_clients()
        monkeypatch.setattr(connect, "transport", lambda: httpx.MockTransport(answer))
        return requests

    return answer_with


@pytest.fixture
def during_test(sandbox, monkeypatch) -> Callable[[Callable[[], object]], None]:
    """A function that makes something happen while a key is tested."""

    def during_test(happen: Callable[[], object]) -> None:
        inner = sandbox.transport()

        def answer(request: httpx.Request) -> httpx.Response:
            happen()
            return inner.handle_request(request)

        monkeypatch.setattr(connect, "transport", lambda: httpx.MockTransport(answer))

    return during_test
