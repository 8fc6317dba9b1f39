"""The one place where the API is called over HTTP."""

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import httpx
import msgspec
import stamina

from batches.client.answers import error_of, pause_seconds_of, printable, request_id_of
from batches.client.errors import (
    ApiError,
    BatchNotFound,
    NotTheApi,
    TryLater,
    Unreachable,
)
from batches.client.types import BATCH_ID, BatchPage, RemoteBatch, read_batch, read_page

log = logging.getLogger(__name__)

BATCHES = "/v1/messages/batches"
API_VERSION = "2023-06-01"
TIMEOUT = httpx.Timeout(connect=5.0, read=60.0, write=30.0, pool=10.0)
# A page of 1,000 batches is half a megabyte; only results are larger, and they are streamed.
LARGEST_ANSWER = 64 * 1024 * 1024
# As the official SDK waits: 0.5 s, doubling to 8 s (api.md).
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 8.0

try:
    USER_AGENT = f"batchboard/{version('batchboard')}"
except PackageNotFoundError:
    USER_AGENT = "batchboard"


@dataclass(frozen=True, slots=True)
class _Answer:
    """A whole, successful answer: its JSON, and what its headers said."""

    json: Any
    request_id: str
    pause_seconds: float


class BatchClient:
    """Speaks to the Message Batches API with one key.

        with BatchClient("https://api.anthropic.com", key) as client:
            batch = client.cancel("msgbatch_013Zva2CMHLNnXjNJJKqJ2EF")
            batch.processing_status  # "canceling"

    The key goes to `base_url` and nowhere else: no redirect is followed, and no address that
    an answer holds. Reads and cancel are tried up to `attempts` times within `total_seconds`;
    what would act twice is tried once. Every call may raise ApiError; an id that cannot exist
    raises BatchNotFound before anything is sent. Pass `transport` to have requests answered
    without a network. Safe to share between threads.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        auth: Literal["x-api-key", "bearer"] = "x-api-key",
        workspace_id: str = "",
        transport: httpx.BaseTransport | None = None,
        attempts: int = 3,
        total_seconds: float = 60.0,
    ) -> None:
        """Raises ValueError, without the key in its text, for what can't be an address or key."""
        headers = {"anthropic-version": API_VERSION, "user-agent": USER_AGENT}
        secret = _header_value(api_key, "The API key")
        headers |= (
            {"x-api-key": secret} if auth == "x-api-key" else {"authorization": f"Bearer {secret}"}
        )
        if workspace_id:
            headers["anthropic-workspace-id"] = _header_value(workspace_id, "The workspace id")
        self.base_url = _checked_base_url(base_url)
        self._attempts = attempts
        self._total_seconds = total_seconds
        # Costs some 20 ms (it loads the CA bundle): make one and keep it, not one a call.
        self._http = httpx.Client(
            base_url=self.base_url,
            headers=headers,
            timeout=TIMEOUT,
            transport=transport,
            follow_redirects=False,
        )

    def __repr__(self) -> str:
        return f"BatchClient({self.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def list_page(
        self, *, limit: int = 1000, after_id: str | None = None, before_id: str | None = None
    ) -> BatchPage:
        """One page, newest first: the newest batches, or those older than `after_id`."""
        cursors = {"after_id": after_id, "before_id": before_id}
        params = {"limit": limit} | {name: value for name, value in cursors.items() if value}
        answer = self._retried("GET", BATCHES, params=params)
        with _shape_checked():
            return read_page(
                answer.json, request_id=answer.request_id, pause_seconds=answer.pause_seconds
            )

    def iter_batches(self, *, limit: int = 1000) -> Iterator[RemoteBatch]:
        """Every readable batch, newest first, fetched a page of `limit` at a time.

        Raises NotTheApi when the list repeats itself instead of ending.
        """
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            page = self.list_page(limit=limit, after_id=cursor)
            yield from page.batches
            if not page.has_more:
                return
            cursor = page.last_id
            if not cursor or cursor in seen:
                raise NotTheApi("The list of batches repeats itself: the same page came twice.")
            seen.add(cursor)

    def create(self, requests: Sequence[Mapping[str, Any]]) -> RemoteBatch:
        """Make a batch. Never retried: there is no key to tell a repeat by (api.md)."""
        return self._batch(self._once("POST", BATCHES, json={"requests": list(requests)}))

    def retrieve(self, batch_id: str, *, within: float | None = None) -> RemoteBatch:
        """The batch as it is now, in at most `within` seconds, retries included."""
        return self._batch(self._retried("GET", _path(batch_id), within=within))

    def cancel(self, batch_id: str, *, within: float | None = None) -> RemoteBatch:
        """Ask for cancellation: `canceling` until the requests already running are done.

        At most `within` seconds, retries included; a repeat changes nothing, so it is retried.
        """
        return self._batch(self._retried("POST", f"{_path(batch_id)}/cancel", within=within))

    def delete(self, batch_id: str) -> str:
        """Delete an ended batch with its results; its id. Not retried: a repeat is a 404."""
        answer = self._once("DELETE", _path(batch_id))
        if not isinstance(answer.json, dict) or answer.json.get("id") != batch_id:
            raise NotTheApi("The answer to a delete is not the API's.")
        return batch_id

    @contextmanager
    def stream_results(self, batch_id: str) -> Iterator[Iterator[bytes]]:
        """The results file as it arrives, in chunks of any length, never held whole.

        Raises Unreachable from the iterator when the file is cut short; nothing is retried once
        the answer has begun. A body without a length may end early in silence: count its lines.
        """
        with _failures_translated():
            request = self._http.build_request("GET", f"{_path(batch_id)}/results")
            response = self._http.send(request, stream=True)
            try:
                if not response.is_success:
                    body = _whole_body(response, time.monotonic() + self._total_seconds)
                    raise error_of(response, body)
                yield _chunks(response)
            finally:
                response.close()

    def _batch(self, answer: _Answer) -> RemoteBatch:
        with _shape_checked():
            return read_batch(answer.json, answer.request_id)

    def _retried(
        self, method: str, path: str, *, within: float | None = None, **options: Any
    ) -> _Answer:
        total = min(within or self._total_seconds, self._total_seconds)
        deadline = time.monotonic() + total

        def wait_before_retry(error: Exception) -> float | bool:
            return _wait_before_retry(error, left=deadline - time.monotonic())

        for attempt in stamina.retry_context(
            on=wait_before_retry,
            attempts=self._attempts,
            timeout=total,
            wait_initial=FIRST_WAIT_SECONDS,
            wait_max=LONGEST_WAIT_SECONDS,
            wait_jitter=FIRST_WAIT_SECONDS,
        ):
            with attempt:
                return self._once(method, path, deadline=deadline, **options)
        raise AssertionError("stamina raises what the last attempt raised")

    def _once(
        self, method: str, path: str, *, deadline: float | None = None, **options: Any
    ) -> _Answer:
        if deadline is None:
            deadline = time.monotonic() + self._total_seconds
        with _failures_translated():
            request = self._http.build_request(
                method, path, timeout=_time_left(deadline), **options
            )
            response = self._http.send(request, stream=True)
            try:
                body = _whole_body(response, deadline)
            finally:
                response.close()
        request_id = request_id_of(response)
        log.debug("%s %s %s request-id=%s", method, path, response.status_code, request_id)
        if not response.is_success:
            raise error_of(response, body)
        with _shape_checked():
            return _Answer(msgspec.json.decode(body), request_id, pause_seconds_of(response))


def _wait_before_retry(error: Exception, *, left: float) -> float | bool:
    """Seconds to wait before another try, True for the usual back-off, False for none."""
    if not isinstance(error, ApiError) or error.should_retry is False:
        return False
    if not (error.should_retry or error.status == 409 or isinstance(error, TryLater | Unreachable)):
        return False
    asked = error.retry_after if isinstance(error, TryLater) else None
    if asked is None:
        return True
    # Waiting longer than there is time would only put off the answer: the caller gets to know.
    return asked if asked < left else False


def _time_left(deadline: float) -> httpx.Timeout:
    """The usual time-outs, none of them longer than what is left. Raises Unreachable."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise Unreachable("The API did not answer in time.")
    return httpx.Timeout(
        **{name: min(seconds, left) for name, seconds in TIMEOUT.as_dict().items() if seconds}
    )


def _whole_body(response: httpx.Response, deadline: float) -> bytes:
    """The body, bounded in size and time: a slow drip passes every time-out between bytes."""
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise NotTheApi("The answer is larger than any the API gives.")
        if time.monotonic() > deadline:
            raise Unreachable("The API did not answer in time.")
        chunks.append(chunk)
    return b"".join(chunks)


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    with _failures_translated():
        # Without a chunk size: given one, httpx gathers and copies.
        yield from response.iter_bytes()


@contextmanager
def _failures_translated() -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise Unreachable("The API did not answer in time.") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        what = printable(str(error)) or type(error).__name__
        raise Unreachable(f"No whole answer from the API: {what}.") from error
    except OSError as error:
        raise Unreachable(f"No whole answer from the API: {printable(str(error))}.") from error


@contextmanager
def _shape_checked() -> Iterator[None]:
    # msgspec's errors are ValueErrors; a deep enough nest of brackets ends in the other.
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise NotTheApi(f"The answer is not the API's: {printable(str(error))}") from error


def _path(batch_id: str) -> str:
    if not BATCH_ID.fullmatch(batch_id):
        raise BatchNotFound(f"There can be no batch with the id {printable(batch_id)[:60]!r}.")
    return f"{BATCHES}/{batch_id}"


def _header_value(value: str, name: str) -> str:
    # Never the value itself in the error: it may be a key with one odd character.
    if not re.fullmatch(r"[\x21-\x7e]{1,1000}", value):
        raise ValueError(f"{name} is empty or has characters that cannot be sent.")
    return value


def _checked_base_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("The base URL must be http:// or https:// with a host.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("The base URL must not hold a user, a password, a query or a fragment.")
    return base_url.rstrip("/")
