"""The client of the Message Batches API: each of its six calls."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import httpx

from batches.client.answers import Answer
from batches.client.caller import ApiClient, read_answer
from batches.client.errors import ApiError, NotTheApi
from batches.client.exchange import chunks_of, not_the_api, open_stream
from batches.client.pacing import pause_seconds
from batches.client.retries import Deadline, persist
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
# A batch may weigh 256 MB; Anthropic's own SDK gives a call ten minutes.
CREATE_SECONDS = 600.0
# If the next piece of a results file takes longer, no more of it will come.
STALL_SECONDS = 30.0
RESULTS_TIMEOUT = httpx.Timeout(connect=5, read=STALL_SECONDS, write=30, pool=10)
ANOTHER_BATCH = "it answered about another batch than the one asked for."


class BatchClient(ApiClient):
    """Speaks to the Message Batches API; one client serves any number of threads.

        with BatchClient("https://api.anthropic.com", api_key) as client:
            batch = client.cancel("msgbatch_…")
            assert batch.processing_status == "canceling"

    Raises ValueError as ApiClient does, and every method raises ApiError. Reads and `cancel` are
    attempted up to `attempts` times within `total_seconds`; `create` and `delete` once.
    """

    def list_page(
        self, *, limit: int = 1000, after_id: str | None = None, before_id: str | None = None
    ) -> BatchPage:
        """One page, newest first: of batches older than `after_id`, or newer than `before_id`.

        An item that cannot be read goes to the page's `unreadable` and hides no other. Raises
        NotTheApi for a page of more than `limit` items.
        """
        cursors = {"after_id": after_id, "before_id": before_id}
        given = {name: possible_id(cursor) for name, cursor in cursors.items() if cursor}
        with self._missing_api_named():
            answer = self._ask("GET", PATH, params={"limit": limit, **given})
        pause = pause_seconds(answer.headers)
        return read_answer(
            answer,
            lambda body: read_page(
                body,
                limit=limit,
                request_id=answer.request_id,
                workspace_id=answer.workspace_id,
                pause_seconds=pause,
            ),
        )

    def iter_batches(self, *, limit: int = 1000) -> Iterator[RemoteBatch]:
        """Every batch, newest first, fetched a page of `limit` at a time.

        Items that cannot be read are skipped and logged; `list_page` returns them. Raises NotTheApi
        for a list that repeats itself or does not say how to go on.
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

        Never retried, since the API cannot tell a repeat from a second batch: after Unreachable
        or TryLater the batch may exist. Raises ValueError or TypeError for what JSON cannot hold.
        """
        with self._missing_api_named():
            answer = self._ask(
                "POST",
                PATH,
                json={"requests": [dict(request) for request in requests]},
                within=CREATE_SECONDS,
                attempts=1,
            )
        return _read_batch(answer)

    def retrieve(self, batch_id: str, *, within: float | None = None) -> RemoteBatch:
        """One batch as it stands now, in at most `within` seconds. Raises BatchNotFound."""
        path = f"{PATH}/{possible_id(batch_id)}"
        return _read_about(batch_id, self._ask("GET", path, within=within, about_batch=True))

    def cancel(self, batch_id: str, *, within: float | None = None) -> RemoteBatch:
        """Ask for cancellation, in at most `within` seconds, pauses included.

        The batch is `canceling` until requests that can't be interrupted are done. Safe to repeat.
        After an error, retrieve the batch to learn whether it is being canceled.
        """
        path = f"{PATH}/{possible_id(batch_id)}/cancel"
        return _read_about(batch_id, self._ask("POST", path, within=within, about_batch=True))

    def delete(self, batch_id: str) -> str:
        """Delete an ended batch with its results, and return its id.

        Never retried: repeating a delete whose answer was lost would only get a 404.
        """
        path = f"{PATH}/{possible_id(batch_id)}"
        answer = self._ask("DELETE", path, attempts=1, about_batch=True)
        if read_answer(answer, read_deleted) != batch_id:
            raise not_the_api(answer, ANOTHER_BATCH)
        return batch_id

    @contextmanager
    def stream_results(
        self, batch_id: str, *, within: float | None = None
    ) -> Iterator[Iterator[bytes]]:
        """The results file's bytes as they arrive, in pieces that end anywhere.

        A stream that is cut off, or whose next piece takes more than STALL_SECONDS, raises
        Unreachable. A file that ends too early without an error can only be told by its number
        of lines. Opening takes at most `within` seconds and is retried; reading never is.
        """
        path = f"{PATH}/{possible_id(batch_id)}/results"
        deadline = Deadline(self._total_seconds if within is None else within)

        def opened() -> httpx.Response:
            request = self._http.build_request("GET", path, timeout=RESULTS_TIMEOUT)
            return open_stream(self._http, request, deadline, self._redactor)

        with closing(persist(opened, deadline, attempts=self._attempts)) as response:
            yield chunks_of(response, stall_seconds=STALL_SECONDS)

    @contextmanager
    def _missing_api_named(self) -> Iterator[None]:
        """Raises NotTheApi where an answer says that there is no list of batches here."""
        try:
            yield
        except ApiError as error:
            if error.status not in {404, 405}:
                raise
            address = str(self._http.base_url).rstrip("/")
            raise NotTheApi(
                f"there is no Message Batches API at {address}.",
                status=error.status,
                type=error.type,
                request_id=error.request_id,
            ) from None


def _read_batch(answer: Answer) -> RemoteBatch:
    return read_answer(
        answer,
        lambda body: read_batch(
            body, request_id=answer.request_id, workspace_id=answer.workspace_id
        ),
    )


def _read_about(batch_id: str, answer: Answer) -> RemoteBatch:
    """The batch in an answer, which must be the one asked about."""
    batch = _read_batch(answer)
    if batch.id != batch_id:
        raise not_the_api(answer, ANOTHER_BATCH)
    return batch
