"""How long the API's headers ask to wait."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from batches.client.types import moment

# An answer may ask for a pause, but not for a day off.
LONGEST_RETRY_AFTER_SECONDS = 3600.0
LONGEST_PAUSE_SECONDS = 300.0


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that `retry-after` asks for, as a number or an HTTP date (RFC 9110, 10.2.3).

    At most an hour; None if it is missing or cannot be read.
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        return min(float(text), LONGEST_RETRY_AFTER_SECONDS)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    # Every HTTP date is in GMT, also the forms that do not say so.
    return _until(date if date.tzinfo else date.replace(tzinfo=UTC))


def pause_seconds(headers: httpx.Headers) -> float:
    """Seconds to wait before the next call, at most five minutes; 0.0 if nothing asks for it.

    A successful answer asks by `retry-after`, or by a rate limit of which nothing remains.
    """
    asked = retry_after(headers) or 0.0
    if headers.get("anthropic-ratelimit-requests-remaining", "").strip() == "0":
        try:
            reset = moment(headers.get("anthropic-ratelimit-requests-reset", "").strip())
        except ValueError:
            reset = datetime.now(UTC)
        asked = max(asked, _until(reset))
    return min(asked, LONGEST_PAUSE_SECONDS)


def _until(date: datetime) -> float:
    seconds = (date - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
