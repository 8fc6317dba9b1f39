"""A client's connection, as gunicorn's threads see it: they never wait for the client to send."""

import errno
import socket
import struct
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn

from dashboard.server.framing import Framing, Stage

READ_BYTES = 64 * 1024
# A page never waits for its reader: what the network does not take is kept, up to this much.
MOST_UNSENT_BYTES = 1024 * 1024
# A thread that has to wait for a reader gives up when nothing moves for so long.
STALL_SECONDS = 30
# Closing sends a reset, so that no client takes half an answer for a whole one.
RESET = struct.pack("ii", 1, 0)


class ClientSocket:
    """Stands in for the socket of a client where gunicorn reads requests and writes answers.

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
        """Takes what has arrived; False when the client will send no more. Raises OSError."""
        try:
            arrived = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return True
        self.unread += arrived
        return bool(arrived)

    def flush(self) -> bool:
        """Sends what the network takes at once; False if that is nothing. Raises OSError."""
        try:
            sent = self._socket.send(self.unsent)
        except BlockingIOError:
            return False
        del self.unsent[:sent]
        return True

    def recv(self, size: int) -> bytes:
        """For gunicorn's parser: of what has arrived.

        Raises ConnectionResetError where there is no more: the request was not whole, whatever
        Framing took it for, and nothing may be answered as if it were.
        """
        if not self.unread:
            raise ConnectionResetError(errno.ECONNRESET, "The request ends too early")
        taken = bytes(self.unread[:size])
        del self.unread[:size]
        return taken

    def sendall(self, data: bytes) -> None:
        """Sends or keeps it; waits for the client only while more than MOST_UNSENT_BYTES are kept.

        Raises ConnectionResetError when the client takes nothing for STALL_SECONDS.
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
        """gunicorn calls this for `100 Continue` alone, which the poller has sent."""
        return len(data)

    def shutdown(self, how: int) -> None:
        self._socket.shutdown(how)

    def close(self) -> None:
        """Resets the connection when there is something that the client has not got."""
        with suppress(OSError):
            if self.unsent:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        with suppress(OSError):
            self._socket.close()

    def setblocking(self, flag: object) -> None:
        """Nothing: this never blocks."""

    def settimeout(self, seconds: float | None) -> None:
        """Nothing: the time-outs are this module's own."""

    def gettimeout(self) -> None:
        return None


class Connection(TConn):  # type: ignore[misc]
    """What the worker knows of one connection besides."""

    def __init__(self, cfg: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        # The request is here when gunicorn gets to see it.
        self.data_ready = True
        self.keeps_alive = False
        # By time.monotonic(); the second holds for an answer's last byte.
        self.deadline = self.answer_deadline = 0.0
        self.await_request()

    def await_request(self) -> None:
        """Begins anew for the next request, of which gunicorn's parser may have read some."""
        if self.parser is not None:
            self.sock.unread[:0] = self.parser.unreader.take_buffered()
        self.framing = Framing()
        self.stage = Stage.NOTHING
