"""What becomes of a batch that nobody cancels: when it ends, and what it comes to."""

from datetime import datetime, timedelta
from typing import NamedTuple

from batches.sandbox.chance import Draws
from batches.sandbox.life import EXPIRES_AFTER, FinalCounts

TYPICAL_MINUTES = 12


class Plan(NamedTuple):
    """A batch's natural end, its outcome then, and whether a cancel can still stop any of it."""

    ends_at: datetime
    counts: FinalCounts
    is_interruptible: bool


def plan(created_at: datetime, requests: int, invalid: int, draws: Draws) -> Plan:
    """Draw a batch's life: most end within the hour, few run into the 24 hours and expire.

    `invalid` of the `requests` have params that no model can take; they end as errored.
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
