"""Serves the sandbox over HTTP/1.1, with keep-alive, streams, and broken connections."""

import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

# Lingering for zero seconds makes a close reset the connection instead of ending it properly.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
IDLE_SECONDS = 120
HANG_SECONDS = 600
# Up to this much of a body that the app did not read is read and discarded. With more left, the
# connection is closed.
MOST_DRAINED_BYTES = 1024 * 1024


class SandboxServer(ThreadingHTTPServer):
    """Serves a WSGI app from `start` to `stop`, with one thread per connection.

    Connection errors that the app raises are applied to the socket: ConnectionResetError resets
    it, ConnectionAbortedError closes it with the body unfinished, and TimeoutError leaves the
    client waiting. Port 0 picks a free port. Raises OSError if the address is in use.
    """

    daemon_threads = True
    # Stopping must not wait for clients that keep their connections open.
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), Connection)
        self.app: WSGIApplication | None = None
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, name="sandbox", daemon=True)

    @property
    def base_url(self) -> str:
        """The server's address, as `http://host:port`."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def pause(self, seconds: float) -> None:
        """Wait this long, or until the server stops."""
        self.stopping.wait(seconds)

    def start(self, app: "WSGIApplication") -> None:
        """Serve the app in a thread of its own."""
        self.app = app
        self._thread.start()

    def stop(self) -> None:
        """Accept no more connections, release the waiting ones, and free the port."""
        self.stopping.set()
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()

    def shutdown_request(self, request: Any) -> None:
        """Close the connection without a shutdown, which would prevent a reset."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect. Report all other errors, which are bugs."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Connection(BaseHTTPRequestHandler):
    """One connection, whose requests the app answers one after another."""

    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""
    timeout = IDLE_SECONDS
    # Otherwise small responses would wait for the client's delayed acknowledgement.
    disable_nagle_algorithm = True

    def answer(self) -> None:
        """Answer one request, or break the connection as the app demands."""
        if "transfer-encoding" in self.headers:
            # The API's clients send a length. Parsing chunks would invite request smuggling.
            self.close_connection = True
            self.send_error(411)
            return
        body = RequestBody(cast("IO[bytes]", self.rfile), self.headers.get("content-length"))
        try:
            self._pass_to_app(body)
        except ConnectionResetError:
            self._reset()
        except ConnectionAbortedError:
            self.close_connection = True
        except TimeoutError:
            self.close_connection = True
            self._server.stopping.wait(HANG_SECONDS)
        if not body.drain():
            self.close_connection = True

    def __getattr__(self, name: str) -> Any:
        # The base class looks up a method for each HTTP method. The app decides which are allowed.
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    @property
    def _server(self) -> SandboxServer:
        return cast("SandboxServer", self.server)

    def _pass_to_app(self, body: "RequestBody") -> None:
        if self._server.app is None:
            raise ConnectionResetError("The server has not started.")
        blocks = self._server.app(self._environ(body), self._start_response)
        for block in blocks:
            if block:
                self._write(block)
        if self._is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: "OptExcInfo | None" = None,
    ) -> Any:
        number, _, phrase = status.partition(" ")
        self._is_chunked = not any(name == "content-length" for name, _ in headers)
        self.send_response(int(number), phrase)
        for name, value in headers:
            self.send_header(name, value)
        if self._is_chunked:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        return self._write

    def _write(self, block: bytes) -> None:
        if self.command == "HEAD":
            return
        if self._is_chunked:
            block = b"%x\r\n%s\r\n" % (len(block), block)
        self.wfile.write(block)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)

    def _environ(self, body: "RequestBody") -> "WSGIEnvironment":
        path, _, query = self.path.partition("?")
        host, port = self._server.server_address[:2]
        environ: WSGIEnvironment = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": str(host),
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("content-type", ""),
            "CONTENT_LENGTH": self.headers.get("content-length", ""),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": body,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        return environ

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing, as polling would flood the log."""


class RequestBody:
    """A request's body, which ends after Content-Length bytes."""

    def __init__(self, source: IO[bytes], length: str | None) -> None:
        self._source = source
        self._left = int(length) if length and length.isascii() and length.isdigit() else 0

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, or everything."""
        size = self._left if size < 0 else min(size, self._left)
        data = self._source.read(size)
        self._left -= len(data)
        return data

    def drain(self) -> bool:
        """Discard what the app did not read. False if there is too much of it."""
        if self._left > MOST_DRAINED_BYTES or self._source.closed:
            return False
        self.read()
        return True
