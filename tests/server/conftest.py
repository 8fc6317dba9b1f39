"""gunicorn's workers in threads of this process, with an application for the tests."""

import logging
import os
import re
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import ThreadWorker

from dashboard import gunicorn as project
from dashboard.server.worker import WebWorker
from tests.server.echo import app

PATIENCE_SECONDS = 10


class Server:
    """One worker, as its process would run it, with the project's settings."""

    def __init__(
        self, worker_class: type[ThreadWorker], *, send_bytes: int = 0, **settings
    ) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        # As gunicorn sets it itself.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if send_bytes:
            # How much of an unread response the system buffers. Accepted sockets inherit it.
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)
        cfg = Config()
        for name in ("threads", "keepalive", "worker_connections", "sendfile", "graceful_timeout"):
            cfg.set(name, settings.get(name, getattr(project, name)))
        log = logging.getLogger("tests.gunicorn")
        log.access = lambda *arguments: None
        self.worker = worker_class(0, os.getppid(), [self.listener], None, 60, cfg, log)
        self.worker.wsgi = app
        self.worker.tpool = self.worker.get_thread_pool()
        self.worker.poller = selectors.DefaultSelector()
        self.worker.method_queue.init()
        self._thread = threading.Thread(target=self.worker.run)
        self._thread.start()

    def stop(self) -> None:
        self.worker.handle_exit(None, None)
        self._thread.join()
        self.worker.tpool.shutdown()
        self.worker.tmp.close()

    def connect(self, *, receive_bytes: int = 0) -> socket.socket:
        client = socket.socket()
        if receive_bytes:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        client.settimeout(PATIENCE_SECONDS)
        client.connect(self.listener.getsockname())
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def exchange(self, *pieces: bytes) -> bytes:
        """The whole response to a client that sends this and then closes its sending side."""
        with self.connect() as client:
            for piece in pieces:
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    """What arrives until the server closes, without the Date headers."""
    answer = b""
    while piece := client.recv(65_536):
        answer += piece
    return re.sub(rb"Date: [^\r]*\r\n", b"", answer)


def read_until(client: socket.socket, end: bytes) -> bytes:
    answer = b""
    while not answer.endswith(end):
        piece = client.recv(65_536)
        assert piece, answer
        answer += piece
    return answer


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """A function that starts a worker of ours, or of another class."""
    with ExitStack() as servers:

        def serve(worker_class: type[ThreadWorker] = WebWorker, **settings) -> Server:
            server = Server(worker_class, **settings)
            servers.callback(server.stop)
            return server

        yield serve


@pytest.fixture(scope="module")
def ours() -> Iterator[Server]:
    server = Server(WebWorker)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    """gunicorn's own worker, to compare with."""
    server = Server(ThreadWorker)
    yield server
    server.stop()
