"""gunicorn's thread worker, changed so that slow clients cannot hold its threads."""

import errno
import selectors
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, override

from gunicorn import util
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from dashboard.server.connection import STALL_SECONDS, ClientConnection, ClientSocket
from dashboard.server.framing import LARGEST_BODY_BYTES, LARGEST_HEAD_BYTES, Stage

# How long a client may take to send its first byte, the rest of the head, and the body.
SECONDS = {Stage.NOTHING: 30, Stage.HEAD: 10, Stage.BODY: 30}
# How long sending the rest of an answer may take once its thread is free.
ANSWER_SECONDS = 120
# How long a client may take to close the connection after its last answer.
LINGER_SECONDS = 2
# How much is kept of all requests and answers together. Those below MUCH_BYTES do not count.
MOST_HELD_BYTES = 64 * 1024 * 1024
MUCH_BYTES = 16 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
type Step = Callable[[ClientConnection], None]
REFUSALS = {
    Stage.HEAD_TOO_LARGE: (
        431,
        "Request Header Fields Too Large",
        f"The request's headers are larger than {LARGEST_HEAD_BYTES // 1024} KiB.",
    ),
    Stage.BODY_TOO_LARGE: (
        413,
        "Content Too Large",
        f"The request is larger than {LARGEST_BODY_BYTES // 1024} KiB.",
    ),
    Stage.HEAD: (408, "Request Timeout", "The request's headers took too long to arrive."),
    Stage.BODY: (408, "Request Timeout", "The request took too long to arrive."),
}


class WebWorker(ThreadWorker):  # type: ignore[misc]
    """Lets its main thread, the poller, wait for clients. Other threads get only whole requests.

    A connection is either used by a thread or in `watched`, where the one for which the poller has
    waited longest is first.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watched: dict[ClientConnection, None] = {}
        self.next_sweep = 0.0

    @override
    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Exits with a sentence if the poller cannot serve what is configured."""
        super().check_config(cfg, log)
        is_plain = cfg.protocol == "http" and cfg.proxy_protocol == "off"
        if not is_plain or cfg.is_ssl or "h2" in cfg.http_protocols:
            sys.exit(
                "Batchboard's web process speaks HTTP/1.1 only, without TLS and without the PROXY "
                "protocol. Use a proxy in front of it for those."
            )

    @override
    def accept(self, listener: socket.socket) -> None:
        """Called when a client connects. Closes another connection if there is no room."""
        # At worker_connections the base class stops accepting.
        if self.nr_conns >= self.worker_connections - 1:
            self.drop_longest()
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self.drop_longest()
            elif error.errno not in {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}:
                raise
            return
        self.nr_conns += 1
        conn = ClientConnection(self.cfg, ClientSocket(client), address, listener.getsockname())
        self.watch(conn, selectors.EVENT_READ, self.read, SECONDS[Stage.NOTHING])
        # The request has often come with the connection.
        self.safely(self.read, conn)

    @override
    def finish_request(self, conn: ClientConnection, answered: Future[bool]) -> None:
        """Called when a thread has answered; the result is whether to keep the connection."""
        failed = answered.cancelled() or answered.exception() is not None
        conn.keeps_alive = not failed and answered.result()
        conn.answer_deadline = time.monotonic() + ANSWER_SECONDS
        self.safely(self.go_on, conn)

    @override
    def murder_keepalived(self, force: bool = False) -> None:
        """Called after every round of events; closes overdue connections once a second."""
        now = time.monotonic()
        if now < self.next_sweep and self.alive and not force:
            return
        self.next_sweep = now + 1
        for conn in [conn for conn in self.watched if force or conn.deadline <= now]:
            self.on_event(self.drop if force else self.expire, conn)

    @override
    def _cap_keepalive(self, deadline: float) -> None:
        """Called when the process is to stop."""
        for conn in self.watched:
            if conn.stage is Stage.NOTHING:
                conn.deadline = min(conn.deadline, deadline)

    def watch(self, conn: ClientConnection, event: int, step: Step, seconds: float) -> None:
        """Makes the poller take the step whenever the event happens, for at most `seconds`."""
        conn.deadline = time.monotonic() + seconds
        self.watched[conn] = None
        self.poller.register(conn.sock, event, partial(self.on_event, step, conn))

    def unwatch(self, conn: ClientConnection) -> None:
        del self.watched[conn]
        self.poller.unregister(conn.sock)

    def on_event(self, step: Step, conn: ClientConnection, *_: object) -> None:
        # Another event of the same round may have closed the connection.
        if conn in self.watched:
            self.safely(step, conn)

    def safely(self, step: Step, conn: ClientConnection) -> None:
        """Takes the step; an exception closes the connection but does not end the process."""
        try:
            step(conn)
        except OSError as error:
            self.log.debug("Closing connection. %s", error)
            self.drop(conn)
        except Exception:
            self.log.exception("Closing connection.")
            self.drop(conn)

    def drop(self, conn: ClientConnection) -> None:
        """Closes a connection that no thread uses."""
        if conn in self.watched:
            self.unwatch(conn)
        conn.sock.close()
        self.nr_conns -= 1

    def read(self, conn: ClientConnection) -> None:
        """Reads what has arrived, and passes a whole request to a thread."""
        before = conn.sock.held_bytes
        if not conn.sock.receive():
            self.drop(conn)
            return
        # Not for every byte of a slow body, because this checks all connections.
        if conn.sock.held_bytes // MUCH_BYTES > before // MUCH_BYTES:
            self.limit_memory()
        if conn in self.watched:
            self.judge(conn)

    def judge(self, conn: ClientConnection) -> None:
        """Acts on how much of the request has arrived."""
        before, conn.stage = conn.stage, conn.framing.stage(conn.sock.unread)
        if conn.stage is Stage.COMPLETE:
            self.unwatch(conn)
            self.enqueue_req(conn)
        elif conn.stage in {Stage.HEAD_TOO_LARGE, Stage.BODY_TOO_LARGE}:
            self.refuse(conn)
        elif conn.stage is not before:
            conn.deadline = time.monotonic() + SECONDS[conn.stage]
            if conn.stage is Stage.BODY and conn.framing.expects_continue:
                conn.sock.sendall(CONTINUE)

    def expire(self, conn: ClientConnection) -> None:
        """Closes an overdue connection, after an answer if the client has begun a request."""
        if conn.stage in REFUSALS:
            self.refuse(conn)
        else:
            self.drop(conn)

    def refuse(self, conn: ClientConnection) -> None:
        self.unwatch(conn)
        status, reason, sentence = REFUSALS[conn.stage]
        self.log.info("Refused a request from %s: %s", conn.client, sentence)
        conn.sock.unread.clear()
        util.write_error(conn.sock, status, reason, sentence)
        conn.keeps_alive = False
        conn.answer_deadline = time.monotonic() + ANSWER_SECONDS
        self.go_on(conn)

    def go_on(self, conn: ClientConnection) -> None:
        """Continues once no thread uses the connection.

        It sends the rest of the answer, awaits the next request or closes.
        """
        if conn.sock.is_closed:
            self.drop(conn)
        elif conn.sock.unsent:
            conn.stage = Stage.COMPLETE
            self.watch(conn, selectors.EVENT_WRITE, self.send_rest, STALL_SECONDS)
            self.limit_memory()
        elif conn.keeps_alive:
            conn.await_request()
            seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
            self.watch(conn, selectors.EVENT_READ, self.read, seconds)
            self.judge(conn)
        else:
            conn.stage = Stage.COMPLETE
            conn.sock.shutdown(socket.SHUT_WR)
            self.watch(conn, selectors.EVENT_READ, self.discard, LINGER_SECONDS)

    def send_rest(self, conn: ClientConnection) -> None:
        if conn.sock.flush():
            # This client is reading, so the poller has waited longer for the others.
            self.watched[conn] = self.watched.pop(conn)
            conn.deadline = min(time.monotonic() + STALL_SECONDS, conn.answer_deadline)
        if not conn.sock.unsent:
            self.unwatch(conn)
            self.go_on(conn)

    def discard(self, conn: ClientConnection) -> None:
        """Waits for the client to close; closing first could cost it the end of the answer."""
        if not conn.sock.receive():
            self.drop(conn)
        conn.sock.unread.clear()

    def drop_longest(self) -> None:
        """Closes the connection for which the poller has waited longest, if there is any."""
        for conn in self.watched:
            self.drop(conn)
            return

    def limit_memory(self) -> None:
        """Closes connections, the longest waiting first, until no more than allowed is kept."""
        holders = [conn for conn in self.watched if conn.sock.held_bytes > MUCH_BYTES]
        held_bytes = sum(conn.sock.held_bytes for conn in holders)
        for holder in holders:
            if held_bytes <= MOST_HELD_BYTES:
                return
            held_bytes -= holder.sock.held_bytes
            self.drop(holder)
