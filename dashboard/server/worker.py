"""gunicorn's thread worker, whose threads no client can hold by sending or reading slowly."""

import errno
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn import util
from gunicorn.errors import ConfigError
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from dashboard.server.connection import STALL_SECONDS, ClientSocket, Connection
from dashboard.server.framing import LARGEST_BODY_BYTES, LARGEST_HEAD_BYTES, Stage

# How long a client may take: until it sends something, for the rest of the head, for the body.
SECONDS = {Stage.NOTHING: 30, Stage.HEAD: 10, Stage.BODY: 30}
# For what was left of an answer when its thread was done with it.
ANSWER_SECONDS = 120
# After the last answer, for the client to close: otherwise it might never see that answer.
LINGER_SECONDS = 2
# All that is kept of requests and answers of more than MUCH_BYTES each.
MOST_HELD_BYTES = 64 * 1024 * 1024
MUCH_BYTES = 64 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
type Step = Callable[[Connection], None]
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


class Worker(ThreadWorker):  # type: ignore[misc]
    """The main thread, the poller, waits for all clients; a thread gets whole requests only.

    A connection is with a thread, or in `watched`: in the order since when the client has kept
    the poller waiting.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watched: dict[Connection, None] = {}
        self.next_sweep = 0.0

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Raises ConfigError for what the poller cannot read."""
        super().check_config(cfg, log)
        if cfg.is_ssl or cfg.proxy_protocol != "off" or cfg.protocol != "http":
            raise ConfigError(
                "Batchboard's web process speaks HTTP/1.1 alone, without TLS and without the PROXY "
                "protocol. Let the proxy before it do that."
            )

    # The first four are called by ThreadWorker.

    def accept(self, listener: socket.socket) -> None:
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
        conn = Connection(self.cfg, ClientSocket(client), address, listener.getsockname())
        self.watch(conn, selectors.EVENT_READ, self.read, SECONDS[Stage.NOTHING])
        # The request has often come with the connection.
        self.safely(self.read, conn)

    def finish_request(self, conn: Connection, answered: Future[bool]) -> None:
        failed = answered.cancelled() or answered.exception() is not None
        conn.keeps_alive = not failed and answered.result()
        conn.answer_deadline = time.monotonic() + ANSWER_SECONDS
        self.safely(self.go_on, conn)

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT001, FBT002
        """Called after every round of events. Looks once a second at who is too late."""
        now = time.monotonic()
        if now < self.next_sweep and self.alive and not force:
            return
        self.next_sweep = now + 1
        for conn in [conn for conn in self.watched if force or conn.deadline <= now]:
            self.safely(self.drop if force else self.expire, conn)

    def _cap_keepalive(self, deadline: float) -> None:
        for conn in self.watched:
            if conn.stage is Stage.NOTHING:
                conn.deadline = min(conn.deadline, deadline)

    # The rest is what happens to a connection.

    def watch(self, conn: Connection, event: int, step: Step, seconds: float) -> None:
        """Has the poller take the step whenever the event happens, for so long."""
        conn.deadline = time.monotonic() + seconds
        self.watched[conn] = None
        self.poller.register(conn.sock, event, partial(self.on_event, step, conn))

    def unwatch(self, conn: Connection) -> None:
        del self.watched[conn]
        self.poller.unregister(conn.sock)

    def on_event(self, step: Step, conn: Connection, _sock: ClientSocket) -> None:
        # An event before this one may have ended the connection.
        if conn in self.watched:
            self.safely(step, conn)

    def safely(self, step: Step, conn: Connection) -> None:
        """Whatever goes wrong ends this connection, never the process."""
        try:
            step(conn)
        except OSError as error:
            self.log.debug("Closing connection. %s", error)
            self.drop(conn)
        except Exception:
            self.log.exception("Closing connection.")
            self.drop(conn)

    def drop(self, conn: Connection) -> None:
        if conn in self.watched:
            self.unwatch(conn)
        conn.sock.close()
        self.nr_conns -= 1

    def read(self, conn: Connection) -> None:
        """Takes what has arrived of a request, and hands a whole one to a thread."""
        if not conn.sock.receive():
            self.drop(conn)
            return
        self.limit_memory(conn)
        if conn in self.watched:
            self.judge(conn)

    def judge(self, conn: Connection) -> None:
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

    def expire(self, conn: Connection) -> None:
        if conn.stage in REFUSALS:
            self.refuse(conn)
        else:
            self.drop(conn)

    def refuse(self, conn: Connection) -> None:
        self.unwatch(conn)
        status, reason, sentence = REFUSALS[conn.stage]
        self.log.info("Refused a request from %s: %s", conn.client, sentence)
        util.write_error(conn.sock, status, reason, sentence)
        conn.keeps_alive = False
        conn.answer_deadline = time.monotonic() + ANSWER_SECONDS
        self.go_on(conn)

    def go_on(self, conn: Connection) -> None:
        """What follows an answer: the rest of it, the next request or the end."""
        if conn.sock.is_closed:
            self.drop(conn)
        elif conn.sock.unsent:
            conn.stage = Stage.COMPLETE
            self.watch(conn, selectors.EVENT_WRITE, self.send_rest, STALL_SECONDS)
            self.limit_memory(conn)
        elif conn.keeps_alive:
            conn.await_request()
            seconds = self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER
            self.watch(conn, selectors.EVENT_READ, self.read, seconds)
            self.judge(conn)
        else:
            conn.stage = Stage.COMPLETE
            conn.sock.shutdown(socket.SHUT_WR)
            self.watch(conn, selectors.EVENT_READ, self.discard, LINGER_SECONDS)

    def send_rest(self, conn: Connection) -> None:
        if conn.sock.flush():
            # It moves, so it is no longer the one that has kept us waiting longest.
            self.watched[conn] = self.watched.pop(conn)
            conn.deadline = min(time.monotonic() + STALL_SECONDS, conn.answer_deadline)
        if not conn.sock.unsent:
            self.unwatch(conn)
            self.go_on(conn)

    def discard(self, conn: Connection) -> None:
        if not conn.sock.receive():
            self.drop(conn)
        conn.sock.unread.clear()

    # Room for others.

    def drop_longest(self) -> None:
        """Closes the connection that has kept the poller waiting longest, if it waits for any."""
        for conn in self.watched:
            self.drop(conn)
            return

    def limit_memory(self, conn: Connection) -> None:
        """Closes connections, those that wait longest first, until no more is kept than allowed."""
        if conn.sock.held_bytes <= MUCH_BYTES:
            return
        holders = [conn for conn in self.watched if conn.sock.held_bytes > MUCH_BYTES]
        held_bytes = sum(conn.sock.held_bytes for conn in holders)
        for holder in holders:
            if held_bytes <= MOST_HELD_BYTES:
                return
            held_bytes -= holder.sock.held_bytes
            self.drop(holder)
