"""What an HTTP answer means: a body to read, or one of our errors."""

import re
from dataclasses import dataclass
from typing import Any

import httpx

from batches.client.errors import (
    ApiError,
    ApiRefused,
    BatchNotFound,
    KeyRefused,
    NotTheApi,
    TryLater,
)
from batches.client.pacing import retry_after
from batches.client.types import decode

# Anything shorter is no secret, and blotting it out would only garble the API's words.
SHORTEST_SECRET = 8
SPEND_LIMIT = "enforced_spend_limit_reached"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read whole."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def is_html(self) -> bool:
        """Whether this is a page for people: the API itself sends none."""
        is_named = "text/html" in self.headers.get("content-type", "").lower()
        return is_named or self.body[:100].lstrip().startswith(b"<")

    @property
    def request_id(self) -> str:
        """Names this answer to the vendor's support; empty where there is none."""
        return request_id(self.headers)

    @property
    def workspace_id(self) -> str:
        """What the API calls the workspace it answers for; empty where it does not say."""
        return _word(self.headers.get("anthropic-workspace-id", ""))


def request_id(headers: httpx.Headers) -> str:
    """The `request-id` header, empty unless it looks like one."""
    return _word(headers.get("request-id", ""))


def error_of(answer: Answer, *, secret: str) -> ApiError | None:
    """The error that an answer stands for, None for success. Never holds the secret.

    Branches on status and type only: the API's messages may change (api.anthropic.com's docs).
    """
    if 200 <= answer.status < 300:
        return None
    problem = {
        name: blotted(value, secret) if isinstance(value, str) else value
        for name, value in _problem(answer.body).items()
    }
    message = problem.get("message")
    if not isinstance(message, str):
        message = blotted(_without_words(answer), secret)
    error = _sorted(answer, problem, message)
    match answer.headers.get("x-should-retry"):
        case "true":
            error.is_transient = True
        case "false":
            error.is_transient = False
    return error


def blotted(text: str, secret: str) -> str:
    """The text with the secret, wherever a gateway echoed it, made unreadable."""
    return text.replace(secret, "[API key]") if len(secret) >= SHORTEST_SECRET else text


def _sorted(answer: Answer, problem: dict[str, Any], message: str) -> ApiError:
    status, wait = answer.status, retry_after(answer.headers)
    told: dict[str, Any] = {
        "status": status,
        "type": _word(problem.get("type")),
        "request_id": answer.request_id or _word(problem.get("request_id")),
    }
    if _passes_by_waiting(status, problem, wait):
        return TryLater(message, retry_after=wait, **told)
    if status == 409:
        # A conflict may pass within seconds; when it does not, it is the API's answer.
        error = ApiRefused(message, **told)
        error.is_transient = True
        return error
    # The edge in front of the API answers 413 with a page of its own. Any other page comes from
    # somebody else, who can neither refuse our key nor know our batches.
    if not 400 <= status < 500 or (answer.is_html and status not in {413, 429}):
        return NotTheApi(message, **told)
    kinds: dict[int, type[ApiError]] = {401: KeyRefused, 403: KeyRefused, 404: BatchNotFound}
    return kinds.get(status, ApiRefused)(message, **told)


def _passes_by_waiting(status: int, problem: dict[str, Any], wait: float | None) -> bool:
    if status == 429:
        details = problem.get("details")
        code = details.get("error_code") if isinstance(details, dict) else None
        return wait is not None or code != SPEND_LIMIT
    return status == 408 or status >= 500


def _problem(body: bytes) -> dict[str, Any]:
    """The API's `error` object with the id beside it; empty when the body holds none."""
    try:
        document = decode(body, dict[str, Any])
    except ValueError:
        return {}
    problem = document.get("error")
    return {"request_id": document.get("request_id")} | problem if isinstance(problem, dict) else {}


def _without_words(answer: Answer) -> str:
    if answer.status == 413:
        return "the request is larger than the API takes."
    if 300 <= answer.status < 400:
        return "it redirects elsewhere, and a redirect is never followed."
    if answer.is_html:
        return "it sent a web page instead of an answer."
    return answer.body[:2000].decode("utf-8", "replace")


def _word(value: object) -> str:
    is_word = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", value)
    return str(value) if is_word else ""
