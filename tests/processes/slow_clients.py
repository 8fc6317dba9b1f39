"""Clients that take as long as they can, and how quickly others are served beside them."""

import math
import resource
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import httpx

from tests.processes.crew import wait_until

# So that both of gunicorn's processes get their share.
SPREAD_SECONDS = 2


class SlowClients:
    """Connections that send `start`, then no more or a byte a second, and read nothing.

    Each is opened again as soon as it is closed.
    """

    def __init__(
        self, port: int, count: int, start: bytes = b"", *, drip: bytes = b"", reads: bool = True
    ) -> None:
        self.address = ("127.0.0.1", port)
        self.count = count
        self.start, self.drip = start, drip
        self.reads = reads
        self.opened = 0
        self._clients: list[socket.socket] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        wait_until(lambda: self.opened >= self.count, seconds=30, what="all slow clients")
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped.set()
        self._thread.join()
        for client in self._clients:
            client.close()

    def _run(self) -> None:
        dripped_at = time.monotonic()
        while not self._stopped.wait(0.05):
            self._clients = [client for client in self._clients if not self._is_closed(client)]
            self._open_missing()
            if self.drip and time.monotonic() - dripped_at >= 1:
                dripped_at = time.monotonic()
                for client in self._clients:
                    with suppress(OSError):
                        client.send(self.drip)

    def _open_missing(self) -> None:
        while len(self._clients) < self.count and not self._stopped.is_set():
            client = socket.socket()
            if not self.reads:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.settimeout(5)
            try:
                client.connect(self.address)
                client.sendall(self.start)
            except OSError:
                client.close()
                return
            client.setblocking(False)
            self._clients.append(client)
            if self.opened < self.count:
                self.opened += 1
                self._stopped.wait(SPREAD_SECONDS / self.count)

    def _is_closed(self, client: socket.socket) -> bool:
        try:
            if client.recv(4096, 0 if self.reads else socket.MSG_PEEK):
                return False
        except BlockingIOError:
            return False
        except OSError:
            pass
        client.close()
        return True


def allow_open_files(count: int) -> int:
    """How many files this process may have open: that many where the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        soft = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def seconds_of(ask: Callable[[], httpx.Response], times: int = 20) -> list[float]:
    """How long each answer took, shortest first; infinite where none came, or not a good one."""
    taken = []
    for _ in range(times):
        began = time.monotonic()
        try:
            is_good = ask().status_code == 200
        except httpx.TransportError:
            is_good = False
        taken.append(time.monotonic() - began if is_good else math.inf)
    return sorted(taken)


def p95(seconds: list[float]) -> float:
    """Of a sorted list."""
    return seconds[math.ceil(0.95 * len(seconds)) - 1]
