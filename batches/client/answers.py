"""An HTTP answer → our errors, and what its headers ask of the caller."""

import math
import time
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from batches.client.errors import (
    ApiError,
    ApiRefused,
    BatchNotFound,
    KeyRefused,
    NotTheApi,
    TryLater,
)

LONGEST_MESSAGE = 500
# An hour: whoever asks for more will be asked again then.
LONGEST_WAIT_SECONDS = 3600.0
LATER = {408, 425, 429}
# Answers of a gateway before the API, in case its page says nothing.
PLAIN = {
    413: "The request is too large for the API.",
    429: "The API's rate limit is reached.",
    504: "The API took too long.",
    529: "The API is overloaded.",
}


def error_of(response: httpx.Response, content: bytes) -> ApiError:
    """What a response that is no success means, told by its status, headers and body."""
    request_id = request_id_of(response)
    body = _error_body(content)
    details: dict[str, Any] = {"status": response.status_code, "request_id": request_id}
    if 300 <= response.status_code < 400:
        return NotTheApi("The address redirects elsewhere: it is not the API's.", **details)
    if body is None:
        message = PLAIN.get(response.status_code, f"The API answered {response.status_code}.")
    else:
        message, details["type"] = printable(body.message) or body.type, printable(body.type)
        details["request_id"] = request_id or printable(body.request_id)[:200]
    error = _by_status(response, message, details, body)
    # The API's own word outranks the status (api.md).
    error.should_retry = {"true": True, "false": False}.get(
        response.headers.get("x-should-retry", "").strip().lower()
    )
    return error


def _by_status(
    response: httpx.Response, message: str, details: dict[str, Any], body: "_Problem | None"
) -> ApiError:
    status, retry_after = response.status_code, retry_after_of(response)
    never_by_waiting = (
        status == 429
        and retry_after is None
        and body is not None
        and body.error_code == "enforced_spend_limit_reached"
    )
    if (status in LATER or status >= 500) and not never_by_waiting:
        later = TryLater(message, **details)
        later.retry_after = retry_after
        return later
    if status == 404:
        return BatchNotFound(message, **details)
    if status in {401, 403}:
        return KeyRefused(message, **details)
    return ApiRefused(message, **details)


class _Problem(msgspec.Struct):
    type: str
    message: str
    error_code: str = ""
    request_id: str = ""


def _error_body(content: bytes) -> _Problem | None:
    """The API's error object, None when the body isn't one."""
    try:
        body = msgspec.json.decode(content)
        error = body["error"]
        details = error.get("details") or {}
        return msgspec.convert(
            {
                "type": error["type"],
                "message": error["message"],
                "error_code": details.get("error_code") or "",
                "request_id": body.get("request_id") or "",
            },
            _Problem,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def printable(text: str) -> str:
    """Foreign text on one line without control characters, at most 500 characters."""
    kept = "".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST_MESSAGE])
    return " ".join(kept.split())[:LONGEST_MESSAGE]


def request_id_of(response: httpx.Response) -> str:
    return printable(response.headers.get("request-id", ""))[:200]


def retry_after_of(response: httpx.Response) -> float | None:
    """Seconds that the answer asks to wait, in [0, 3600]; None when it doesn't, or in no form."""
    value = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def pause_seconds_of(response: httpx.Response) -> float:
    """How long to leave the API alone when this answer used up the last request allowed.

    From `anthropic-ratelimit-requests-remaining` and `-reset`, seen on batch calls (api.md).
    """
    if response.headers.get("anthropic-ratelimit-requests-remaining", "").strip() != "0":
        return 0.0
    reset = response.headers.get("anthropic-ratelimit-requests-reset", "")
    try:
        seconds = msgspec.convert(reset, datetime).timestamp() - time.time()
    except (ValueError, OverflowError):
        seconds = 1.0
    return min(max(seconds, 0.0), 60.0)
