"""What an HTTP answer means: a body to read, or one of our errors."""

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
    """One HTTP answer, read to its end, with every secret in it redacted.

    An error's body is cut off after some kB. `is_encoded` is true where the body was
    compressed and therefore not read.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    is_encoded: bool = False

    @property
    def is_html(self) -> bool:
        """Whether this is a page for people: the API itself sends none."""
        is_named = "text/html" in self.headers.get("content-type", "").lower()
        return is_named or self.body[:100].lstrip().startswith(b"<")

    @property
    def request_id(self) -> str:
        """Identifies this answer to Anthropic's support; empty where there is none."""
        return request_id(self.headers)

    @property
    def workspace_id(self) -> str:
        """What the API calls the workspace it answers for; empty where it does not say."""
        return _word(self.headers.get("anthropic-workspace-id", ""))


def request_id(headers: httpx.Headers) -> str:
    """The `request-id` header, empty unless it looks like one."""
    return _word(headers.get("request-id", ""))


def trace_id(headers: httpx.Headers, *, in_body: object = None) -> str:
    """Identifies a failed answer: by its request ID, or by `cf-ray …` where it has none."""
    named = request_id(headers) or _word(in_body)
    edge = _word(headers.get("cf-ray", ""))
    return named or (f"{EDGE}{edge}" if edge else "")


def error_of(answer: Answer, *, about_batch: bool = False) -> ApiError | None:
    """The error that an answer stands for, None for success.

    Branches on status and type only: the API's messages may change. A 404 is a BatchNotFound
    only if one batch was asked about.
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
    told: dict[str, Any] = {
        "status": status,
        "type": _word(problem.get("type")),
        "request_id": trace_id(answer.headers, in_body=problem.get("request_id")),
    }
    if _passes_by_waiting(status, problem, wait):
        return TryLater(message, retry_after=wait, **told)
    if answer.is_encoded:
        return NotTheApi(message, **told)
    if status == 409:
        # A conflict may pass within seconds; when it does not, it is the API's answer.
        error = ApiRefused(message, **told)
        error.is_transient = True
        return error
    # The edge in front of the API answers 413 with a page of its own. Any other page comes from
    # someone else, who can neither refuse our key nor know our batches.
    if not 400 <= status < 500 or (answer.is_html and status not in {413, 429}):
        return NotTheApi(message, **told)
    if status == 404 and about_batch:
        return BatchNotFound(message, **told)
    return KINDS.get(status, ApiRefused)(message, **told)


def _passes_by_waiting(status: int, problem: dict[str, Any], wait: float | None) -> bool:
    if status == 429:
        details = problem.get("details")
        code = details.get("error_code") if isinstance(details, dict) else None
        return wait is not None or code != SPEND_LIMIT
    return status == 408 or status >= 500


def _problem(body: bytes) -> dict[str, Any]:
    """The API's `error` object with the request ID beside it; empty when the body holds none.

    The edge in front of the API leaves out the outer `type`.
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
    """The error's message; empty unless its type is a plain word, as the API's is.

    No other text is repeated: the address may be an internal host's, and viewers of the workspace
    see the error. Gateways that imitate the API use its form.
    """
    message = problem.get("message")
    return message if isinstance(message, str) and _word(problem.get("type")) else ""


def _described(answer: Answer) -> str:
    """What kind of answer this is, where it holds no message of the API's."""
    if answer.is_encoded:
        return "it sent a compressed answer, though it was asked not to."
    if answer.status == 413:
        return "the request is larger than the API takes."
    if answer.status == 407:
        return "the proxy asks for a name and password."
    if 300 <= answer.status < 400:
        return "it redirects elsewhere, and a redirect is never followed."
    if answer.is_html:
        return "it sent a web page instead of an answer."
    if not answer.body.strip():
        return "it sent nothing more."
    try:
        decode(answer.body, object)
    except ValueError:
        return "it sent something that is not JSON."
    return "it sent JSON that is not an error of the API's."


def _word(value: object) -> str:
    is_word = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", value)
    return str(value) if is_word else ""
