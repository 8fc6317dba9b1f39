"""One HTTP request and its answer. Network errors become errors of this package."""

import logging
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpcore
import httpx

from batches.client.answers import Answer, error_of, request_id, trace_id
from batches.client.errors import NotTheApi, Unreachable
from batches.client.redaction import Redactor
from batches.client.retries import Deadline

log = logging.getLogger(__name__)

# A page of 1,000 batches has less than one MiB. 1,000 batches of the largest allowed size fit.
LARGEST_BODY_BYTES = 16 * 1024 * 1024
# An API error has a few hundred bytes.
LARGEST_ERROR_BYTES = 64 * 1024


def exchange(
    http: httpx.Client, request: httpx.Request, deadline: Deadline, redactor: Redactor
) -> Answer:
    """The whole answer, with any status. Raises Unreachable or NotTheApi."""
    deadline.check()
    with failures_translated(deadline), deadline.bounding():
        response = http.send(request, stream=True)
        return _read(response, deadline, redactor)


def open_stream(
    http: httpx.Client, request: httpx.Request, deadline: Deadline, redactor: Redactor
) -> httpx.Response:
    """A successful answer about one batch. The caller reads its body and closes it.

    Raises ApiError for any other answer. The deadline does not apply to the body.
    """
    deadline.check()
    with failures_translated(deadline), deadline.bounding():
        response = http.send(request, stream=True)
        unread = Answer(response.status_code, response.headers, b"", _is_encoded(response))
        if response.is_success and not unread.is_html and not unread.is_encoded:
            _note(response)
            return response
        answer = _read(response, deadline, redactor)
    raise error_of(answer, about_batch=True) or not_the_api(answer, "it sent no results.")


def chunks_of(response: httpx.Response, *, stall_seconds: float) -> Iterator[bytes]:
    """The body as it arrives, byte for byte.

    Raises Unreachable, with the answer's request ID, if it breaks off or the next piece takes
    longer than `stall_seconds`.
    """
    chunks = _raw(response)
    try:
        with failures_translated():
            while True:
                # A limit for each read would not do, as many reads may yield no piece.
                with Deadline(stall_seconds).bounding():
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                if chunk:
                    yield chunk
    except Unreachable as error:
        error.request_id = trace_id(response.headers)
        raise


def not_the_api(answer: Answer, problem: str) -> NotTheApi:
    """The error for a successful answer that cannot be read."""
    if answer.is_html:
        problem = "it sent a web page instead of an answer."
    return NotTheApi(problem, status=answer.status, request_id=trace_id(answer.headers))


@contextmanager
def failures_translated(deadline: Deadline | None = None) -> Iterator[None]:
    """Raises Unreachable instead of the errors of httpx and httpcore."""
    try:
        yield
    except (httpx.ConnectTimeout, httpcore.ConnectTimeout) as error:
        raise Unreachable("could not connect in time.") from error
    except (httpx.TimeoutException, httpcore.TimeoutException) as error:
        if deadline:
            deadline.check()
        raise Unreachable("no data arrived in time.") from error
    except (httpx.ProxyError, httpcore.ProxyError) as error:
        # The text of a proxy's answer is not repeated.
        status = re.match(r"\d{3}", str(error))
        raise Unreachable(
            f"the proxy refused to connect ({status[0]})." if status else f"the proxy: {error}"
        ) from None
    except (httpx.RemoteProtocolError, httpcore.RemoteProtocolError):
        # Its text may quote the answer, which may echo the key.
        raise Unreachable("the answer was cut short, or is not HTTP.") from None
    except (httpx.RequestError, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise Unreachable(str(error) or "the connection failed.") from error


def _read(response: httpx.Response, deadline: Deadline, redactor: Redactor) -> Answer:
    _note(response)
    with closing(response):
        is_encoded = _is_encoded(response)
        body = b"" if is_encoded else _body(response, deadline)
    return Answer(response.status_code, response.headers, redactor.redact(body), is_encoded)


def _body(response: httpx.Response, deadline: Deadline) -> bytes:
    body = bytearray()
    for chunk in _raw(response):
        # Also limits slow answers of other transports than NetworkTransport.
        deadline.check()
        body += chunk
        if not response.is_success and len(body) >= LARGEST_ERROR_BYTES:
            # The status is enough, so the rest is not read.
            return bytes(body[:LARGEST_ERROR_BYTES])
        if len(body) > LARGEST_BODY_BYTES:
            raise NotTheApi(f"its answer is longer than {LARGEST_BODY_BYTES:,} bytes.")
    return bytes(body)


def _raw(response: httpx.Response) -> Iterator[bytes]:
    # Not `iter_bytes`, which undoes compression, nor `iter_raw`, which refuses the answers of
    # httpx.MockTransport.
    if not isinstance(response.stream, httpx.SyncByteStream):
        raise TypeError("A transport answers with a synchronous stream.")
    return iter(response.stream)


def _is_encoded(response: httpx.Response) -> bool:
    named = response.headers.get("content-encoding", "").lower().split(",")
    return any(each.strip() not in {"", "identity"} for each in named)


def _note(response: httpx.Response) -> None:
    log.debug(
        "%s %s: %s, request ID %s",
        response.request.method,
        response.request.url.path,
        response.status_code,
        request_id(response.headers) or "unknown",
    )
