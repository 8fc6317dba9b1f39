"""HTTP answers, and the errors that they mean."""

import re
from dataclasses import dataclass
from typing import Any

import httpx

from batches.client.errors import (
    EDGE,
    ApiError,
    ApiRefused,
    BatchNotFound,
    KeyRefused,
    NotTheApi,
    TryLater,
)
from batches.client.pacing import retry_after
from batches.client.types import decode

SPEND_LIMIT = "enforced_spend_limit_reached"
KINDS: dict[int, type[ApiError]] = {401: KeyRefused, 402: KeyRefused, 403: KeyRefused}


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read completely, with every secret in it redacted.

    An error's body is cut off at LARGEST_ERROR_BYTES. `is_encoded` is true if the body is
    compressed and was therefore not read.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    is_encoded: bool = False

    @property
    def is_html(self) -> bool:
        """Whether this is a web page. The API never sends one."""
        is_declared = "text/html" in self.headers.get("content-type", "").lower()
        return is_declared or self.body[:100].lstrip().startswith(b"<")

    @property
    def request_id(self) -> str:
        """Identifies this answer to Anthropic's support; empty if there is none."""
        return request_id(self.headers)

    @property
    def workspace_id(self) -> str:
        """The API's ID of the workspace; empty if the answer has none."""
        return _word(self.headers.get("anthropic-workspace-id", ""))


def request_id(headers: httpx.Headers) -> str:
    """The `request-id` header, empty unless it looks like a request ID."""
    return _word(headers.get("request-id", ""))


def trace_id(headers: httpx.Headers, *, in_body: object = None) -> str:
    """Identifies a failed answer by its request ID, or by `cf-ray …` if it has none."""
    named = request_id(headers) or _word(in_body)
    edge = _word(headers.get("cf-ray", ""))
    return named or (f"{EDGE}{edge}" if edge else "")


def error_of(answer: Answer, *, about_batch: bool = False) -> ApiError | None:
    """The error that an answer means, None for success.

    Depends on status and type only, as the API's messages may change. A 404 is a BatchNotFound
    only if the call was about one batch.
    """
    if 200 <= answer.status < 300 and not answer.is_encoded:
        return None
    problem = _problem(answer.body)
    message = _message(problem) or _described(answer)
    error = _sorted(answer, problem, message, about_batch=about_batch)
    match answer.headers.get("x-should-retry", "").strip().lower():
        case "true":
            error.is_transient = True
        case "false":
            error.is_transient = False
    return error


def _sorted(
    answer: Answer, problem: dict[str, Any], message: str, *, about_batch: bool
) -> ApiError:
    status, wait = answer.status, retry_after(answer.headers)
    details: dict[str, Any] = {
        "status": status,
        "type": _word(problem.get("type")),
        "request_id": trace_id(answer.headers, in_body=problem.get("request_id")),
    }
    if _passes_by_waiting(status, problem, wait):
        return TryLater(message, retry_after=wait, **details)
    if answer.is_encoded:
        return NotTheApi(message, **details)
    if status == 409:
        # A conflict may resolve within seconds. If it doesn't, it is a refusal.
        error = ApiRefused(message, **details)
        error.is_transient = True
        return error
    # The edge in front of the API answers 413 with a web page. Any other page comes from another
    # server, which can't know whether a key or a batch exists.
    if not 400 <= status < 500 or (answer.is_html and status not in {413, 429}):
        return NotTheApi(message, **details)
    if status == 404 and about_batch:
        return BatchNotFound(message, **details)
    return KINDS.get(status, ApiRefused)(message, **details)


def _passes_by_waiting(status: int, problem: dict[str, Any], wait: float | None) -> bool:
    if status == 429:
        details = problem.get("details")
        code = details.get("error_code") if isinstance(details, dict) else None
        return wait is not None or code != SPEND_LIMIT
    return status == 408 or status >= 500


def _problem(body: bytes) -> dict[str, Any]:
    """The API's `error` object and the request ID; empty if the body has no such object.

    The edge in front of the API omits the outer `type`.
    """
    try:
        document = decode(body, dict[str, Any])
    except ValueError:
        return {}
    problem = document.get("error")
    if document.get("type", "error") != "error" or not isinstance(problem, dict):
        return {}
    return {"request_id": document.get("request_id")} | problem


def _message(problem: dict[str, Any]) -> str:
    """The error's message; empty unless its type is a plain word, as the API's types are.

    Other text is never shown, as the address may be that of an internal host and all viewers of
    the workspace see the error. Gateways that imitate the API use its format.
    """
    message = problem.get("message")
    return message if isinstance(message, str) and _word(problem.get("type")) else ""


def _described(answer: Answer) -> str:
    """A description of an answer that contains no API error message."""
    if answer.is_encoded:
        return "it sent a compressed answer, which was not requested."
    if answer.status == 413:
        return "the request is too large for the API."
    if answer.status == 407:
        return "the proxy requires a username and password."
    if 300 <= answer.status < 400:
        return "it redirects to another address, and redirects are not followed."
    if answer.is_html:
        return "it sent a web page instead of an answer."
    if not answer.body.strip():
        return "its answer is empty."
    try:
        decode(answer.body, object)
    except ValueError:
        return "it sent something that is not JSON."
    return "it sent JSON that is not an API error."


def _word(value: object) -> str:
    is_word = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", value)
    return str(value) if is_word else ""
