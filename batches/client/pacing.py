"""Reads from the API's headers how long to wait."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from batches.client.types import moment

# Longer waits are cut to these.
LONGEST_RETRY_AFTER_SECONDS = 3600.0
LONGEST_PAUSE_SECONDS = 300.0


def retry_after(headers: httpx.Headers) -> float | None:
    """The seconds to wait by `retry-after`, a number or an HTTP date (RFC 9110, 10.2.3).

    At most an hour. None if the header is missing or invalid.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        return min(float(text), LONGEST_RETRY_AFTER_SECONDS)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # Every HTTP date is in GMT, including the formats that do not say so.
    return _until(date if date.tzinfo else date.replace(tzinfo=UTC))


def pause_seconds(headers: httpx.Headers) -> float:
    """The seconds to wait before the next call, at most five minutes; 0.0 for no wait.

    Successful answers have `retry-after`, or a rate limit with no requests remaining.
    """
    seconds = retry_after(headers) or 0.0
    if headers.get("anthropic-ratelimit-requests-remaining", "").strip() == "0":
        try:
            reset = moment(headers.get("anthropic-ratelimit-requests-reset", "").strip())
        except ValueError:
            reset = datetime.now(UTC)
        seconds = max(seconds, _until(reset))
    return min(seconds, LONGEST_PAUSE_SECONDS)


def _until(date: datetime) -> float:
    seconds = (date - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
