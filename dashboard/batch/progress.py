"""What the page says of a running batch: elapsed time, speed, and what to expect."""

from datetime import datetime

from batches.mirror.throughput import Throughput
from batches.models import Batch
from dashboard.words import duration, plural


def speed_words(speed: Throughput | None) -> str:
    """Such as "about 18 requests a minute over the last 15 min"; empty if it is unknown."""
    if speed is None:
        return ""
    span = duration(speed.span.total_seconds())
    if not speed.finished:
        return f"no request finished in the last {span}"
    rate = speed.per_minute
    if rate < 1:
        return f"{speed.finished:,} {plural(speed.finished, 'request')} in the last {span}"
    count = round(rate)
    return f"about {count:,} {plural(count, 'request')} a minute over the last {span}"


def time_left_words(batch: Batch, speed: Throughput | None, now: datetime) -> str:
    """Such as "about 8 min"; says so if the batch would expire first; empty if it is unknown."""
    if speed is None or speed.seconds_left is None or batch.is_canceling:
        return ""
    if speed.seconds_left > (batch.expires_at - now).total_seconds():
        return "more than until it expires, at this speed"
    return f"about {duration(speed.seconds_left)} at this speed"
