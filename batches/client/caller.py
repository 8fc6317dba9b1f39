"""The one place where the API is called: both clients are made of this."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

from batches.client.address import Auth, checked_base_url, request_headers
from batches.client.answers import Answer, blotted, error_of
from batches.client.exchange import exchange, not_the_api
from batches.client.retries import TIMEOUT, Deadline, persist

# Headers of answers that are logged, kept or shown.
SHOWN_HEADERS = ("request-id", "anthropic-workspace-id")


class ApiClient:
    """A key, the one address it is sent to, and the connections there.

    Raises ValueError for an address or a key that cannot be used. Calls are tried up to
    `attempts` times within `total_seconds`. Pass `transport` to have them answered without a
    network.
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
        return f"{type(self).__name__}({str(self._http.base_url)!r})"

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

    def _forget_echo(self, response: httpx.Response) -> None:
        # One that holds the key must not be shown.
        for name in SHOWN_HEADERS:
            told = response.headers.get(name, "")
            if blotted(told, self._secret) != told:
                del response.headers[name]

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


def read_answer[T](answer: Answer, read: Callable[[bytes], T]) -> T:
    """What the body says. Raises NotTheApi where `read` raises ValueError."""
    try:
        return read(answer.body)
    except ValueError as error:
        raise not_the_api(answer, f"{error}.") from None
