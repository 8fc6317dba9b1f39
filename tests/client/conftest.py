import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from batches.client import retries
from tests.client.loopback import Script, serving


@pytest.fixture
def loopback() -> Iterator[Callable[[Script], str]]:
    """A function that starts a server with a script for its connections and returns its address."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def start(script: Script) -> str:
        address, thread = serving(script, stop)
        threads.append(thread)
        return address

    yield start
    stop.set()
    for thread in threads:
        thread.join(timeout=5)
        assert not thread.is_alive()


@pytest.fixture
def closed_address() -> str:
    """An address of this machine where no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "http://{}:{}".format(*listener.getsockname())


class StoppedClock:
    """Returns the same time until a test moves it forward."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def forward(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    """The clock of the client's deadlines."""
    stopped = StoppedClock()
    monkeypatch.setattr(retries, "time", SimpleNamespace(monotonic=stopped))
    return stopped
