"""Connections on which every operation ends by the deadline of the call that uses them.

httpx's timeouts apply to a single read, and an answer's head can take any number of reads. Here
every read, write, connect and TLS handshake gets only the time that its call has left.
"""

import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpcore
import httpx
from socksio import SOCKSError

from batches.client.environment import proxy_for, tls_context
from batches.client.retries import time_for

# httpx's defaults.
MOST_CONNECTIONS = 100
MOST_KEPT_ALIVE = 20
KEEP_ALIVE_SECONDS = 5.0
# Fewer pieces than with httpcore's 64 KiB. With more, copying takes longer than is saved.
READ_BYTES = 128 * 1024
TLS_RECORD_BYTES = 16_384

# At DEBUG, httpcore logs the headers of answers, which may echo a key, and the password for a
# SOCKS proxy.
logging.getLogger("httpcore").setLevel(logging.INFO)


class NetworkTransport(httpx.BaseTransport):
    """Sends requests to the one host of `url`, through a proxy if the environment names one.

    Raises ValueError for a proxy or certificates in the environment that cannot be used. Its
    message names the variable.
    """

    def __init__(self, url: httpx.URL, environment: Mapping[str, str] | None = None) -> None:
        self._backend = BoundedBackend()
        self._pool = _pool_for(
            url, os.environ if environment is None else environment, self._backend
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises httpcore's exceptions."""
        if not isinstance(request.stream, httpx.SyncByteStream):
            raise TypeError("A request has a synchronous stream.")
        timeouts = request.extensions.get("timeout", {})
        pool = _limited(timeouts.get("pool"), httpcore.PoolTimeout)
        url = request.url
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions | {"timeout": timeouts | {"pool": pool}},
        )
        with self._backend.closing_on_failure():
            answer = self._handle(sent)
        # Without the reason phrase: httpx logs it, and it may echo a key.
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def _handle(self, request: httpcore.Request) -> httpcore.Response:
        try:
            return self._pool.handle_request(request)
        except (SOCKSError, AssertionError, ValueError, OverflowError) as error:
            # httpcore doesn't translate these when a SOCKS proxy sends an invalid answer.
            if not isinstance(self._pool, httpcore.SOCKSProxy):
                raise
            raise httpcore.ProxyError("it does not speak SOCKS5.") from error

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """An answer's body as it arrives."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        """Return the connection to the pool, or close it if the body was not read completely."""
        self._answer.close()


def _pool_for(
    url: httpx.URL, environment: Mapping[str, str], backend: httpcore.NetworkBackend
) -> httpcore.ConnectionPool:
    proxy = proxy_for(url, environment)
    limits: dict[str, Any] = {
        "ssl_context": tls_context(environment) if url.scheme == "https" else None,
        "network_backend": backend,
        "max_connections": MOST_CONNECTIONS,
        "max_keepalive_connections": MOST_KEPT_ALIVE,
        "keepalive_expiry": KEEP_ALIVE_SECONDS,
    }
    if proxy is None:
        return httpcore.ConnectionPool(**limits)
    address = httpcore.URL(
        scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=b"/"
    )
    if proxy.is_socks:
        return httpcore.SOCKSProxy(address, proxy_auth=proxy.credentials, **limits)
    if proxy.url.scheme == "https":
        limits["proxy_ssl_context"] = tls_context(environment)
    return httpcore.HTTPProxy(address, proxy_auth=proxy.credentials, **limits)


def _limited(limit: float | None, error: type[httpcore.TimeoutException]) -> float | None:
    """How many seconds the next operation may take. Raises `error` if none are left."""
    seconds = time_for(limit)
    if seconds is not None and seconds <= 0:
        raise error("The deadline has passed.")
    return seconds


class BoundedBackend(httpcore.NetworkBackend):
    """Opens connections whose operations are all limited in time."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()
        self._opened = threading.local()

    @contextmanager
    def closing_on_failure(self) -> Iterator[None]:
        """Close this thread's new connection if the block raises.

        httpcore does not close a connection after its proxy has refused.
        """
        self._opened.stream = None
        try:
            yield
        except BaseException:
            if self._opened.stream is not None:
                self._opened.stream.close()
            raise
        finally:
            self._opened.stream = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that accepts a connection."""
        # The only operation without a limit, as the system's resolver accepts none. Its own, a few
        # seconds per server, is set in /etc/resolv.conf.
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception = httpcore.ConnectError("The host has no address.")
        # One by one, as a host may have many addresses and the timeout applies to each.
        for *_, address in found:
            seconds = _limited(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._backend.connect_tcp(
                    str(address[0]), port, seconds, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                self._opened.stream = stream
                return BoundedStream(stream)
        raise failure


class BoundedStream(httpcore.NetworkStream):
    """An httpcore connection whose operations get only the time that the call has left."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read once, and more than httpcore asks for: large results files come in fewer pieces."""
        size = max(max_bytes, READ_BYTES)
        return self._stream.read(size, _limited(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of the buffer."""
        # httpcore's loop would give each send the whole timeout.
        connection: socket.socket = self._stream.get_extra_info("socket")
        unsent = memoryview(buffer)
        while unsent:
            try:
                connection.settimeout(_limited(timeout, httpcore.WriteTimeout))
                unsent = unsent[connection.send(unsent) :]
            except TimeoutError as error:
                raise httpcore.WriteTimeout(str(error)) from error
            except OSError as error:
                raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Do the TLS handshake. The connection is closed if it fails."""
        try:
            seconds = _limited(timeout, httpcore.ConnectTimeout)
            if self._stream.get_extra_info("ssl_object") is not None:
                return TunneledTls(self, ssl_context, server_hostname, seconds)
            return BoundedStream(self._stream.start_tls(ssl_context, server_hostname, seconds))
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        """Details of the connection, for httpcore."""
        return self._stream.get_extra_info(info)


class TunneledTls(httpcore.NetworkStream):
    """TLS inside the TLS connection to an https:// proxy.

    Unlike httpcore's, it limits the time for a whole record, not for each part of it.
    """

    def __init__(
        self,
        outer: BoundedStream,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None,
        timeout: float | None,
    ) -> None:
        self._outer = outer
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = ssl_context.wrap_bio(
            self._received, self._to_send, server_hostname=server_hostname
        )
        try:
            self._run(self._tls.do_handshake, timeout)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read once."""
        try:
            return self._run(partial(self._tls.read, max_bytes), timeout)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of the buffer."""
        unsent = memoryview(buffer)
        while unsent:
            part = bytes(unsent[:TLS_RECORD_BYTES])
            try:
                sent = self._run(partial(self._tls.write, part), timeout)
            except OSError as error:
                raise httpcore.WriteError(str(error)) from error
            unsent = unsent[sent:]

    def close(self) -> None:
        """Close the connection."""
        self._outer.close()

    def get_extra_info(self, info: str) -> Any:
        """Details of the connection, for httpcore."""
        return self._tls if info == "ssl_object" else self._outer.get_extra_info(info)

    def _run[T](self, operation: Callable[[], T], timeout: float | None) -> T:
        ends_at = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if ends_at is None else ends_at - time.monotonic()
            try:
                value = operation()
            except ssl.SSLWantReadError:
                self._flush(left)
                if left is not None and left <= 0:
                    raise httpcore.ReadTimeout("No complete TLS record arrived in time.") from None
                if received := self._outer.read(TLS_RECORD_BYTES, left):
                    self._received.write(received)
                else:
                    self._received.write_eof()
            else:
                self._flush(left)
                return value

    def _flush(self, timeout: float | None) -> None:
        if pending := self._to_send.read():
            self._outer.write(pending, timeout)
