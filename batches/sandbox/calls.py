"""One HTTP request to the sandbox, and reading its query, body and page limit."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO
from urllib.parse import parse_qsl

from batches.sandbox.refusals import RefusalError

MOST_BODY_BYTES = 256 * 1024 * 1024
DEFAULT_LIMIT, HIGHEST_LIMIT = 20, 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, before an endpoint reads it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: IO[bytes]


def read_body(call: Call) -> bytes:
    """The request's body. Raises RefusalError without a valid length, or above 256 MB."""
    length = call.headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise RefusalError(411, "A Content-Length header is required.")
    if int(length) > MOST_BODY_BYTES:
        raise RefusalError(413, "Request exceeds the maximum size")
    return call.body.read(int(length))


def read_query(query: str) -> list[tuple[str, str]]:
    """The query's names and values in order. Raises RefusalError (400) for too many."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise RefusalError(400, "The query string cannot be read.") from None


def read_limit(text: str | None) -> int:
    """How many items a page may have. Raises RefusalError (400) outside 1 to 1000."""
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise RefusalError(400, "limit: Input should be a valid integer")
    if int(text) < 1:
        raise RefusalError(400, "limit: Input should be greater than or equal to 1")
    if int(text) > HIGHEST_LIMIT:
        raise RefusalError(400, f"limit: Input should be less than or equal to {HIGHEST_LIMIT}")
    return int(text)


def wrong_method(*allowed: str) -> RefusalError:
    """The 405 that names the allowed methods."""
    return RefusalError(405, "Method Not Allowed", headers={"allow": ", ".join(allowed)})
