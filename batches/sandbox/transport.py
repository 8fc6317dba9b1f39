"""Connects httpx to the sandbox, with broken connections as httpx reports them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class SandboxTransport(httpx.BaseTransport):
    """Sends requests to a WSGI app, without a network.

    Like httpx.WSGITransport, but the faults that a served sandbox applies to its socket raise the
    httpx errors that such a socket would cause: `reset` and `lost` ReadError, `cut`
    RemoteProtocolError, `timeout` ReadTimeout.
    """

    def __init__(self, app: "WSGIApplication") -> None:
        self._inner = httpx.WSGITransport(app=app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the app."""
        with breaks_translated():
            response = self._inner.handle_request(request)
        if not isinstance(response.stream, httpx.SyncByteStream):
            raise TypeError("A WSGI app answers with a synchronous stream.")
        response.stream = TranslatedStream(response.stream)
        return response


class TranslatedStream(httpx.SyncByteStream):
    """A body that raises httpx errors for a broken connection."""

    def __init__(self, inner: httpx.SyncByteStream) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        with breaks_translated():
            yield from self._inner

    def close(self) -> None:
        """Close the app's iterator."""
        self._inner.close()


@contextmanager
def breaks_translated() -> Iterator[None]:
    """Raises httpx's error for a connection that the app breaks."""
    try:
        yield
    except ConnectionResetError as error:
        raise httpx.ReadError(str(error)) from error
    except ConnectionAbortedError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
