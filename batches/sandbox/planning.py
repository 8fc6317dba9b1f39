"""Plans how a batch ends unless it is canceled: when, and with which request counts."""

from datetime import datetime, timedelta
from typing import NamedTuple

from batches.sandbox.chance import Draws
from batches.sandbox.life import EXPIRES_AFTER, FinalCounts

TYPICAL_MINUTES = 12


class Plan(NamedTuple):
    """When a batch ends, its final counts, and whether a cancel can stop its requests."""

    ends_at: datetime
    counts: FinalCounts
    is_interruptible: bool


def plan(created_at: datetime, requests: int, invalid: int, draws: Draws) -> Plan:
    """A random plan: most batches end within an hour, a few take 24 hours and expire.

    `invalid` of the `requests` have invalid params and end as errored.
    """
    lasting = timedelta(minutes=draws.around(TYPICAL_MINUTES, 1.4), seconds=20)
    share_done = min(1.0, EXPIRES_AFTER / lasting)
    valid = requests - invalid
    expired = int(valid * (1 - share_done))
    mishaps = draws.around(0.01, 1.2) if draws.happens(0.35) else 0.0
    errored = min(valid - expired, round((valid - expired) * mishaps))
    return Plan(
        ends_at=created_at + min(lasting, EXPIRES_AFTER),
        counts=FinalCounts(
            succeeded=valid - expired - errored, errored=invalid + errored, expired=expired
        ),
        is_interruptible=not draws.happens(0.05),
    )
