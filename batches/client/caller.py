"""The base class of both clients, and the only place where the API is called."""

from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Self

import httpx

from batches.client.address import Auth, checked_base_url, request_headers
from batches.client.answers import Answer, error_of
from batches.client.exchange import exchange, not_the_api
from batches.client.network import NetworkTransport
from batches.client.redaction import Redactor
from batches.client.retries import TIMEOUT, Deadline, persist

# Headers of answers that are logged, stored or shown.
SHOWN_HEADERS = ("request-id", "anthropic-workspace-id", "cf-ray")


class ApiClient:
    """A key, the only address it is sent to, and the connections to that address.

    Raises ValueError for an address, a key or headers that cannot be sent, and for a proxy or
    certificates in the environment that cannot be used. Calls are attempted up to `attempts`
    times within `total_seconds`. `headers` are sent with every call, and their values are treated
    as secrets, like the key. Pass `transport` to answer calls without a network.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        auth: Auth = "x-api-key",
        workspace_id: str = "",
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        attempts: int = 3,
        total_seconds: float = 60.0,
    ) -> None:
        extra = headers or {}
        url = checked_base_url(base_url)
        sent = request_headers(api_key, auth=auth, workspace_id=workspace_id, extra=extra)
        self._redactor = Redactor(api_key, extra.values())
        self._attempts = attempts
        self._total_seconds = total_seconds
        self._http = httpx.Client(
            base_url=url,
            headers=sent,
            timeout=TIMEOUT,
            # The key must not be sent to an address that an answer names.
            follow_redirects=False,
            # Loads the CA bundle, which takes 20 ms: keep a client instead of making one per call.
            transport=transport or NetworkTransport(url),
            trust_env=False,
            # Answers must not set cookies.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            event_hooks={"response": [self._forget_headers]},
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._http.base_url)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The client cannot be used afterwards."""
        self._http.close()

    def redacted(self, text: str) -> str:
        """The text, with the key and the headers' values replaced.

        For text from a streamed answer, as streams are not redacted.
        """
        return self._redactor.redact_text(text)

    def _forget_headers(self, response: httpx.Response) -> None:
        # httpx would parse it, although redirects are not followed.
        response.headers.pop("location", None)
        for name in SHOWN_HEADERS:
            if self._redactor.holds_secret(response.headers.get(name, "")):
                del response.headers[name]

    def _ask(
        self,
        method: str,
        path: str,
        *,
        within: float | None = None,
        about_batch: bool = False,
        **content: Any,
    ) -> Answer:
        deadline = Deadline(self._total_seconds if within is None else within)

        def ask_once() -> Answer:
            request = self._http.build_request(method, path, **content)
            answer = exchange(self._http, request, deadline, self._redactor)
            if error := error_of(answer, about_batch=about_batch):
                raise error
            return answer

        return persist(ask_once, deadline, attempts=self._attempts)


def read_answer[T](answer: Answer, read: Callable[[bytes], T]) -> T:
    """The answer's body as `read` returns it. Raises NotTheApi if `read` raises ValueError."""
    try:
        return read(answer.body)
    except ValueError as error:
        raise not_the_api(answer, f"{error}.") from None
