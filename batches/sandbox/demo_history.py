"""The demo's history: six weeks of two teams' work, with weekends, a trend and some failures."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from batches.sandbox.chance import Draws
from batches.sandbox.life import EXPIRES_AFTER
from batches.sandbox.planning import plan
from batches.sandbox.scenes import Scene

# Most work is within this many days, as results expire after 29. Older batches have fixed ages.
DAYS = 26
WEEKEND_SHARE = 0.2
CANCELED_EVERY, FAILED_EVERY = 17, 31


class Project(NamedTuple):
    """A project's batches: the model it starts with, the one it moves to, and typical sizes.

    A batch has `smallest` to `largest` requests with prompts of about `prompt_tokens`. A project
    with twice the `weight` has twice as many batches.
    """

    first_model: str
    later_model: str
    smallest: int
    largest: int
    prompt_tokens: int
    weight: int


class Team(NamedTuple):
    """One workspace's projects, and the ages in days of batches that it always has.

    The results of two of them expire soon, those of two others have expired.
    """

    projects: Sequence[Project]
    fixed_ages: Sequence[float]


TEAMS = (
    Team(
        (
            Project("claude-sonnet-5", "claude-sonnet-5-5", 200, 800, 7_000, 6),
            Project("claude-opus-5", "claude-opus-5-5", 40, 120, 30_000, 3),
            Project("claude-fable-5-1", "claude-fable-5-2", 60, 240, 2_400, 2),
            Project("claude-mythos-5-2", "claude-mythos-5-2", 40, 90, 7_000, 1),
            Project("claude-haiku-4-5", "claude-haiku-5-5", 5_000, 5_000, 900, 1),
        ),
        (27.4, 28.7, 33.2, 41.6),
    ),
    Team(
        (
            Project("claude-haiku-4-5", "claude-haiku-5-5", 200, 1_200, 2_400, 6),
            Project("claude-sonnet-4-6", "claude-sonnet-5-5", 200, 700, 4_000, 5),
            Project("claude-haiku-5-5", "claude-haiku-5-5", 60, 200, 90_000, 2),
            Project("claude-opus-5", "claude-opus-5-5", 40, 80, 7_000, 1),
        ),
        (27.8, 28.5, 35.1, 44.3),
    ),
)


def history(now: datetime, count: int, team: Team, draws: Draws) -> list[Scene]:
    """Scenes of `count` batches that ended more than an hour ago, the newest a day old."""
    ages = team.fixed_ages if count > 2 * len(team.fixed_ages) else ()
    moments = [now - timedelta(days=age) for age in ages]
    moments += _working_moments(now, count - len(moments), draws)
    return [_scene(at, created_at, now, team, draws) for at, created_at in enumerate(moments)]


def _working_moments(now: datetime, count: int, draws: Draws) -> list[datetime]:
    """`count` moments in the last weeks: more in recent ones, few on weekends."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=ago) for ago in range(DAYS, 0, -1)]
    weights = [
        (1 + at / DAYS) * (WEEKEND_SHARE if day.weekday() >= 5 else 1)
        for at, day in enumerate(days)
    ]
    cumulative = list(accumulate(weights))
    moments = []
    for at in range(count):
        # One draw in each of `count` equal parts, which avoids clusters.
        place = (at + draws.unit()) / count * cumulative[-1]
        day = next(day for day, end in zip(days, cumulative, strict=True) if place < end)
        moment = day + timedelta(hours=draws.between(6, 21))
        # Old enough to have ended in any case.
        moments.append(min(moment, now - EXPIRES_AFTER - timedelta(hours=1)))
    return moments


def _scene(at: int, created_at: datetime, now: datetime, team: Team, draws: Draws) -> Scene:
    progress = max(0.0, 1 - (now - created_at) / timedelta(days=DAYS))
    project = draws.pick([each for each in team.projects for _ in range(each.weight)])
    requests = round(draws.between(project.smallest, project.largest) * (0.7 + 0.5 * progress))
    # Projects move to the next model during the middle half of the period.
    has_moved = draws.happens(min(1.0, max(0.0, 2 * progress - 0.5)))
    planned = plan(created_at, requests, 0, draws)
    succeeded, errored = planned.counts.succeeded, planned.counts.errored
    canceled = 0
    if at % FAILED_EVERY == FAILED_EVERY // 2:
        succeeded, errored = 0, succeeded + errored
    elif at % CANCELED_EVERY == CANCELED_EVERY // 2:
        canceled = int(succeeded * draws.between(0.1, 0.95))
    lasting = planned.ends_at - created_at
    return Scene(
        status="ended",
        created_at=created_at,
        duration=lasting,
        succeeded=succeeded - canceled,
        errored=errored,
        canceled=canceled,
        expired=planned.counts.expired,
        cancel_initiated_at=planned.ends_at - lasting / 10 if canceled else None,
        models=(project.later_model if has_moved else project.first_model,),
        prompt_tokens=project.prompt_tokens,
    )
