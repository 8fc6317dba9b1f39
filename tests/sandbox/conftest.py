"""A sandbox whose clock only moves on demand, and httpx clients for it."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from batches.sandbox import SandboxApi

BATCHES = "/v1/messages/batches"


class StoppedClock:
    """Returns the same time until a test moves it forward."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **passed: float) -> None:
        self.time += timedelta(**passed)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def make_api(clock: StoppedClock) -> Iterator[Callable[..., SandboxApi]]:
    """A function that makes a sandbox and closes it after the test."""
    made: list[SandboxApi] = []

    def make(**options) -> SandboxApi:
        made.append(SandboxApi(**({"clock": clock} | options)))
        return made[-1]

    yield make
    for api in made:
        api.close()


@pytest.fixture
def api(make_api) -> SandboxApi:
    return make_api()


@pytest.fixture
def ask() -> Iterator[Callable[..., httpx.Client]]:
    """A function that returns an httpx client with the sandbox's first key or another one."""
    opened: list[httpx.Client] = []

    def client(api: SandboxApi, key: str | None = None) -> httpx.Client:
        opened.append(
            httpx.Client(
                transport=api.transport(),
                base_url=api.base_url,
                headers={"x-api-key": key or api.key},
            )
        )
        return opened[-1]

    yield client
    for client_ in opened:
        client_.close()


@pytest.fixture
def http(api: SandboxApi, ask) -> httpx.Client:
    return ask(api)


def good_params(**changes) -> dict:
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hello"}],
    } | changes


def create(http: httpx.Client, *custom_ids: str, **changes) -> dict:
    requests = [{"custom_id": each, "params": good_params(**changes)} for each in custom_ids]
    response = http.post(BATCHES, json={"requests": requests})
    assert response.status_code == 200, response.text
    return response.json()


def results(http: httpx.Client, batch_id: str) -> list[dict]:
    response = http.get(f"{BATCHES}/{batch_id}/results")
    assert response.status_code == 200, response.text
    # Only \n ends a line. str.splitlines() would also split inside strings.
    return [json.loads(line) for line in response.content.split(b"\n") if line]


def error(response: httpx.Response) -> tuple[int, str, str]:
    """The status, type and message of an error in the API's envelope."""
    body = response.json()
    assert body["type"] == "error"
    assert body["request_id"] == response.headers["request-id"]
    return response.status_code, body["error"]["type"], body["error"]["message"]
