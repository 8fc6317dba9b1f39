"""The one place where the Batches API is called."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from batches.client.address import Auth, checked_base_url, request_headers
from batches.client.answers import Answer, blotted, error_of
from batches.client.errors import NotTheApi
from batches.client.exchange import chunks_of, exchange, not_the_api, open_stream
from batches.client.pacing import pause_seconds
from batches.client.retries import TIMEOUT, Deadline, persist
from batches.client.types import (
    BatchPage,
    RemoteBatch,
    possible_id,
    read_batch,
    read_deleted,
    read_page,
)

log = logging.getLogger(__name__)

PATH = "v1/messages/batches"
# A batch may weigh 256 MB; the vendor's own SDK gives a call ten minutes.
CREATE_SECONDS = 600.0
ANOTHER_BATCH = "it told of another batch than the one asked about."


class BatchClient:
    """Speaks to the Message Batches API; one client serves any number of threads.

        with BatchClient("https://api.anthropic.com", api_key) as client:
            batch = client.cancel("msgbatch_…")
            assert batch.processing_status == "canceling"

    Raises ValueError for an address or a key that cannot be used, and every method raises
    ApiError. Reads and `cancel` are tried up to `attempts` times within `total_seconds`; `create`
    and `delete` are tried once. Pass `transport` to have requests answered without a network.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        auth: Auth = "x-api-key",
        workspace_id: str = "",
        transport: httpx.BaseTransport | None = None,
        attempts: int = 3,
        total_seconds: float = 60.0,
    ) -> None:
        self._secret = api_key
        self._attempts = attempts
        self._total_seconds = total_seconds
        # Loads the CA bundle, some 20 ms: make one client and keep it, not one per call.
        self._http = httpx.Client(
            base_url=checked_base_url(base_url),
            headers=request_headers(api_key, auth=auth, workspace_id=workspace_id),
            timeout=TIMEOUT,
            # The key must not travel on to wherever an answer points.
            follow_redirects=False,
            transport=transport,
            event_hooks={"response": [self._forget_echo]},
        )

    def __repr__(self) -> str:
        return f"BatchClient({str(self._http.base_url)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._http.close()

    def list_page(
        self, *, limit: int = 1000, after_id: str | None = None, before_id: str | None = None
    ) -> BatchPage:
        """One page, newest first: of batches older than `after_id`, or newer than `before_id`.

        An item that cannot be read stands in the page's `unreadable` and hides no other.
        """
        cursors = {"after_id": after_id, "before_id": before_id}
        given = {name: possible_id(cursor) for name, cursor in cursors.items() if cursor}
        answer = self._ask("GET", PATH, params={"limit": limit, **given})
        pause = pause_seconds(answer.headers)
        return _read(
            answer,
            lambda body: read_page(body, request_id=answer.request_id, pause_seconds=pause),
        )

    def iter_batches(self, *, limit: int = 1000) -> Iterator[RemoteBatch]:
        """Every batch, newest first, fetched a page of `limit` at a time.

        Items that cannot be read are left out and logged; `list_page` tells them. Raises NotTheApi
        for a list that repeats itself or has no way on.
        """
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            page = self.list_page(limit=limit, after_id=cursor)
            for odd in page.unreadable:
                log.warning("batch %s cannot be read: %s", odd.id or "without id", odd.problem)
            yield from page.batches
            if not page.has_more:
                return
            cursor = page.last_id
            if not cursor or cursor in seen or not (page.batches or page.unreadable):
                raise NotTheApi("its list of batches never ends.", request_id=page.request_id)
            seen.add(cursor)

    def create(self, requests: Sequence[Mapping[str, Any]]) -> RemoteBatch:
        """Submit requests, each `{"custom_id": …, "params": …}`, as a new batch.

        Never tried twice, since the API cannot tell a repeat from a second batch: after
        Unreachable or TryLater the batch may exist. Raises ValueError or TypeError for what JSON
        cannot hold.
        """
        answer = self._ask(
            "POST",
            PATH,
            json={"requests": [dict(request) for request in requests]},
            within=CREATE_SECONDS,
            attempts=1,
        )
        return _read(answer, lambda body: read_batch(body, request_id=answer.request_id))

    def retrieve(self, batch_id: str, *, within: float | None = None) -> RemoteBatch:
        """One batch as it stands now, in at most `within` seconds. Raises BatchNotFound."""
        path = f"{PATH}/{possible_id(batch_id)}"
        return _read_about(batch_id, self._ask("GET", path, within=within))

    def cancel(self, batch_id: str, *, within: float | None = None) -> RemoteBatch:
        """Ask for cancellation, in at most `within` seconds, pauses included.

        The batch is `canceling` until requests that can't be interrupted are done. Safe to repeat;
        after an error the batch itself, retrieved, tells whether it was taken.
        """
        path = f"{PATH}/{possible_id(batch_id)}/cancel"
        return _read_about(batch_id, self._ask("POST", path, within=within))

    def delete(self, batch_id: str) -> str:
        """Delete an ended batch with its results, and return its id.

        Never tried twice: a repeat of one whose answer was lost would only say 404.
        """
        answer = self._ask("DELETE", f"{PATH}/{possible_id(batch_id)}", attempts=1)
        if _read(answer, read_deleted) != batch_id:
            raise not_the_api(answer, ANOTHER_BATCH)
        return batch_id

    @contextmanager
    def stream_results(self, batch_id: str) -> Iterator[Iterator[bytes]]:
        """The results file's bytes as they arrive, in pieces that end anywhere.

        A cut stream raises Unreachable where a length was given; where not, only the count of
        lines tells. Opening it is retried, reading never.
        """
        path = f"{PATH}/{possible_id(batch_id)}/results"
        deadline = Deadline(self._total_seconds)

        def opened() -> httpx.Response:
            request = self._http.build_request("GET", path)
            return open_stream(self._http, request, deadline, secret=self._secret)

        with closing(persist(opened, deadline, attempts=self._attempts)) as response:
            yield chunks_of(response)

    def _forget_echo(self, response: httpx.Response) -> None:
        # Request ids are logged, kept and shown: one that holds the key must not be.
        named = response.headers.get("request-id", "")
        if blotted(named, self._secret) != named:
            del response.headers["request-id"]

    def _ask(
        self,
        method: str,
        path: str,
        *,
        within: float | None = None,
        attempts: int | None = None,
        **content: Any,
    ) -> Answer:
        deadline = Deadline(self._total_seconds if within is None else within)

        def ask_once() -> Answer:
            request = self._http.build_request(method, path, **content)
            answer = exchange(self._http, request, deadline)
            if error := error_of(answer, secret=self._secret):
                raise error
            return answer

        return persist(ask_once, deadline, attempts=attempts or self._attempts)


def _read[T](answer: Answer, read: Callable[[bytes], T]) -> T:
    try:
        return read(answer.body)
    except ValueError as error:
        raise not_the_api(answer, f"{error}.") from None


def _read_about(batch_id: str, answer: Answer) -> RemoteBatch:
    """The batch in an answer, which must be the one asked about."""
    batch = _read(answer, lambda body: read_batch(body, request_id=answer.request_id))
    if batch.id != batch_id:
        raise not_the_api(answer, ANOTHER_BATCH)
    return batch
