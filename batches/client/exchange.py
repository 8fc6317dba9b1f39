"""One request and its answer, with the network's failures in our own words."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx

from batches.client.answers import Answer, error_of, request_id
from batches.client.errors import NotTheApi, Unreachable
from batches.client.retries import Deadline

log = logging.getLogger(__name__)

# A page of 1,000 batches weighs less than one MiB.
LARGEST_BODY_BYTES = 64 * 1024 * 1024


def exchange(http: httpx.Client, request: httpx.Request, deadline: Deadline) -> Answer:
    """The whole answer, whatever its status. Raises Unreachable or NotTheApi."""
    deadline.check()
    with failures_translated(), deadline.bounding(request):
        response = http.send(request, stream=True)
        return _read(response, deadline)


def open_stream(
    http: httpx.Client, request: httpx.Request, deadline: Deadline, *, secret: str
) -> httpx.Response:
    """A successful answer whose body is still to be read, and which the caller closes.

    Raises ApiError for any other answer. The deadline does not hold for the body.
    """
    deadline.check()
    with failures_translated(), deadline.bounding(request):
        response = http.send(request, stream=True)
        if response.is_success and not Answer(response.status_code, response.headers, b"").is_html:
            _note(response)
            return response
        answer = _read(response, deadline)
    raise error_of(answer, secret=secret) or not_the_api(answer, "no results came.")


def chunks_of(response: httpx.Response) -> Iterator[bytes]:
    """The body as it arrives. Raises Unreachable, with the answer's request id, if it is cut."""
    try:
        with failures_translated():
            # Without a chunk size: httpx would hold data back until it could fill one.
            yield from response.iter_bytes()
    except Unreachable as error:
        error.request_id = request_id(response.headers)
        raise


def not_the_api(answer: Answer, problem: str) -> NotTheApi:
    """The error for a successful answer that cannot be read."""
    if answer.is_html:
        problem = "it sent a web page instead of an answer."
    return NotTheApi(problem, status=answer.status, request_id=answer.request_id)


@contextmanager
def failures_translated() -> Iterator[None]:
    """Raises Unreachable or NotTheApi in place of httpx's own errors."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise Unreachable("no connection in time.") from error
    except httpx.TimeoutException as error:
        raise Unreachable("nothing came in time.") from error
    except httpx.DecodingError as error:
        raise NotTheApi("its answer is not compressed as it says.") from error
    except httpx.RemoteProtocolError:
        # Its text may quote what came, whatever that was: an echo of the key too.
        raise Unreachable("the answer was cut short, or is not HTTP.") from None
    except httpx.RequestError as error:
        raise Unreachable(str(error) or "the connection failed.") from error


def _read(response: httpx.Response, deadline: Deadline) -> Answer:
    _note(response)
    chunks: list[bytes] = []
    size = 0
    with closing(response):
        for chunk in response.iter_bytes():
            # httpx bounds the wait for each read; only this bounds a slow drip of them.
            deadline.check()
            size += len(chunk)
            if size > LARGEST_BODY_BYTES:
                raise NotTheApi(f"its answer is longer than {LARGEST_BODY_BYTES} bytes.")
            chunks.append(chunk)
    return Answer(response.status_code, response.headers, b"".join(chunks))


def _note(response: httpx.Response) -> None:
    log.debug(
        "%s %s: %s, request id %s",
        response.request.method,
        response.request.url.path,
        response.status_code,
        request_id(response.headers) or "unknown",
    )
