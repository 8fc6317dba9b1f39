"""The client of the Message Batches API: list, retrieve, cancel, and stream results."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx

from batches.client.answers import Answer
from batches.client.caller import ApiClient, read_answer
from batches.client.errors import ApiError, NotTheApi
from batches.client.exchange import chunks_of, not_the_api, open_stream
from batches.client.pacing import pause_seconds
from batches.client.retries import Deadline, persist
from batches.client.types import BatchPage, RemoteBatch, possible_id, read_batch, read_page

PATH = "v1/messages/batches"
# If the next piece of a results file takes longer, the rest will not arrive.
STALL_SECONDS = 30.0
RESULTS_TIMEOUT = httpx.Timeout(connect=5, read=STALL_SECONDS, write=30, pool=10)


class BatchClient(ApiClient):
    """Calls the Message Batches API. One client can be used by any number of threads.

        with BatchClient("https://api.anthropic.com", api_key) as client:
            batch = client.cancel("msgbatch_…")
            assert batch.processing_status == "canceling"

    Raises ValueError as ApiClient does, and every method raises ApiError.
    """

    def list_page(self, *, limit: int = 1000, after_id: str | None = None) -> BatchPage:
        """One page, newest first; with `after_id`, of batches older than that one.

        Items that cannot be read are in the page's `unreadable`. Raises NotTheApi for a page of
        more than `limit` items.
        """
        cursor = {"after_id": possible_id(after_id)} if after_id else {}
        answer = self._ask_for_list({"limit": limit, **cursor})
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

    def retrieve(self, batch_id: str, *, within: float | None = None) -> RemoteBatch:
        """One batch as it is now, in at most `within` seconds. Raises BatchNotFound."""
        path = f"{PATH}/{possible_id(batch_id)}"
        return _read_about(batch_id, self._ask("GET", path, within=within, about_batch=True))

    def cancel(self, batch_id: str, *, within: float | None = None) -> RemoteBatch:
        """Cancel a batch, in at most `within` seconds, including pauses.

        The batch is `canceling` until requests that can't be interrupted are done. Safe to repeat.
        After an error, retrieve the batch to find out whether it is being canceled.
        """
        path = f"{PATH}/{possible_id(batch_id)}/cancel"
        return _read_about(batch_id, self._ask("POST", path, within=within, about_batch=True))

    @contextmanager
    def stream_results(
        self, batch_id: str, *, within: float | None = None
    ) -> Iterator[Iterator[bytes]]:
        """The results file's bytes as they arrive, in pieces that can end anywhere.

        A stream that breaks off, or whose next piece takes longer than STALL_SECONDS, raises
        Unreachable. A file that ends too early without an error has too few lines, which only the
        caller can check. Opening takes at most `within` seconds and is retried; reading is not.
        """
        path = f"{PATH}/{possible_id(batch_id)}/results"
        deadline = Deadline(self._total_seconds if within is None else within)

        def open_once() -> httpx.Response:
            request = self._http.build_request("GET", path, timeout=RESULTS_TIMEOUT)
            return open_stream(self._http, request, deadline, self._redactor)

        with closing(persist(open_once, deadline, attempts=self._attempts)) as response:
            yield chunks_of(response, stall_seconds=STALL_SECONDS)

    def _ask_for_list(self, params: dict[str, str | int]) -> Answer:
        """The API's answer. Raises NotTheApi if there is no list of batches at this address."""
        try:
            return self._ask("GET", PATH, params=params)
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
    """The batch in an answer. Raises NotTheApi if it is not the requested one."""
    batch = _read_batch(answer)
    if batch.id != batch_id:
        raise not_the_api(answer, "it answered with another batch.")
    return batch
