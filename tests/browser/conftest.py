"""A real Chromium before the real pages, with the sandbox behind them."""

import os
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from batches.models import Batch
from tests import chromium
from tests.working import seen_worker

# What a page shows by itself comes with a poll, every 3 s; on a busy machine one may come late.
expect.set_options(timeout=10_000)
# Playwright's own loop runs in this thread; Django would take it for an async caller.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    return browser_type_launch_args | {
        "executable_path": chromium.executable(),
        "args": ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update"],
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _usual(committed, no_waits) -> None:
    """A server in a thread of its own sees only what has been committed; and a worker runs."""
    seen_worker()


@pytest.fixture
def operator(person, workspace, live_server):
    return person("operator", workspace)


@pytest.fixture
def sign_in(live_server) -> Callable[[BrowserContext, object], None]:
    """Puts a person's session into a browser without typing a password."""

    def sign_in(context: BrowserContext, user) -> None:
        client = Client()
        client.force_login(user, backend="dashboard.roles.RoleBackend")
        context.add_cookies(
            [
                {
                    "name": settings.SESSION_COOKIE_NAME,
                    "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
                    "url": live_server.url,
                }
            ]
        )

    return sign_in


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the console said that nobody should have to read: errors, and CSP above all."""
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} or "Content Security Policy" in message.text:
            heard.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: heard.append(str(error)))
    yield heard
    assert heard == []


@pytest.fixture
def board(page: Page, context: BrowserContext, operator, sign_in, complaints, live_server):
    """The list as an operator sees it; `board(path)` opens a page."""
    sign_in(context, operator)
    page.set_default_timeout(10_000)

    def open_page(path: str = "/") -> Page:
        page.goto(live_server.url + path)
        return page

    return open_page


@pytest.fixture
def finish(sandbox, sync, workspace) -> Callable[[Batch], None]:
    """The batch ends at the API, and the mirror hears of it."""

    def finish(batch: Batch) -> None:
        sandbox.finish(batch.api_id)
        assert sync(workspace)

    return finish
