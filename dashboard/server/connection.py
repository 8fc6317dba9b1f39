"""A client's connection, from which gunicorn's threads read without waiting for the client."""

import errno
import socket
import struct
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn

from dashboard.server.framing import Framing, Stage

READ_BYTES = 64 * 1024
# How much of an answer is kept when the client reads slowly. No page or static file is larger.
MOST_UNSENT_BYTES = 1024 * 1024
# How long a client may read nothing of its answer.
STALL_SECONDS = 30
# SO_LINGER of 0 s: closing sends a reset, so that no client takes half an answer for a whole one.
RESET = struct.pack("ii", 1, 0)


class ClientSocket:
    """Replaces a client's socket where gunicorn reads requests and writes answers.

    Only one thread uses it at a time: the poller, or the one that answers the request.
    """

    def __init__(self, client: socket.socket) -> None:
        self._socket = client
        self._socket.setblocking(False)
        self.unread = bytearray()
        self.unsent = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def is_closed(self) -> bool:
        return self._socket.fileno() < 0

    @property
    def held_bytes(self) -> int:
        return len(self.unread) + len(self.unsent)

    def receive(self) -> bool:
        """Reads what has arrived; False when the client will send no more. Raises OSError."""
        try:
            arrived = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return True
        self.unread += arrived
        return bool(arrived)

    def flush(self) -> bool:
        """Sends what the network accepts at once; False if that is nothing. Raises OSError."""
        try:
            sent = self._socket.send(self.unsent)
        except BlockingIOError:
            return False
        del self.unsent[:sent]
        return True

    def recv(self, size: int) -> bytes:
        """Returns, to gunicorn's parser, some of what has arrived.

        Raises ConnectionResetError when there is no more: Framing considered the request complete
        and the parser did not, so it must not be answered.
        """
        if not self.unread:
            raise ConnectionResetError(errno.ECONNRESET, "The request ends too early")
        taken = bytes(self.unread[:size])
        del self.unread[:size]
        return taken

    def sendall(self, data: bytes) -> None:
        """Sends the data or keeps it. Waits only while more than MOST_UNSENT_BYTES are kept.

        Raises ConnectionResetError when the client reads nothing for STALL_SECONDS.
        """
        self.unsent += data
        self.flush()
        while len(self.unsent) > MOST_UNSENT_BYTES:
            self._wait_and_flush()

    def _wait_and_flush(self) -> None:
        self._socket.settimeout(STALL_SECONDS)
        try:
            self.flush()
        except TimeoutError as error:
            self.close()
            raise ConnectionResetError(errno.ECONNRESET, "The client stopped reading") from error
        finally:
            if not self.is_closed:
                self._socket.setblocking(False)

    def send(self, data: bytes) -> int:
        """Does nothing: gunicorn sends only `100 Continue` this way, which the poller has sent."""
        return len(data)

    def shutdown(self, how: int) -> None:
        self._socket.shutdown(how)

    def close(self) -> None:
        """Closes the connection, with a reset if the client has not received its whole answer."""
        with suppress(OSError):
            if self.unsent:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        with suppress(OSError):
            self._socket.close()

    def setblocking(self, flag: object) -> None:
        """Does nothing: the socket stays non-blocking."""

    def settimeout(self, seconds: float | None) -> None:
        """Does nothing: STALL_SECONDS is the only timeout."""

    def gettimeout(self) -> None:
        return None


class ClientConnection(TConn):  # type: ignore[misc]
    """A connection, the request that is arriving on it, and its deadlines."""

    def __init__(self, cfg: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        # gunicorn need not wait for a first byte: a thread gets connections with a whole request.
        self.data_ready = True
        self.keeps_alive = False
        # By time.monotonic(): for the current wait, and for the last byte of the answer.
        self.deadline = self.answer_deadline = 0.0
        self.await_request()

    def await_request(self) -> None:
        """Starts over with the next request, of which gunicorn's parser may have read a part."""
        if self.parser is not None:
            self.sock.unread[:0] = self.parser.unreader.take_buffered()
        self.framing = Framing()
        self.stage = Stage.NOTHING
