"""The demo's past: six weeks of two teams' work, with weekends, a trend and a few mishaps."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from batches.sandbox.chance import Draws
from batches.sandbox.life import EXPIRES_AFTER
from batches.sandbox.planning import plan
from batches.sandbox.scenes import Scene

# Work is spread over so many days, as results go after 29. What is older has certain ages.
DAYS = 26
WEEKEND_SHARE = 0.2
CANCELED_EVERY, FAILED_EVERY = 17, 31


class Project(NamedTuple):
    """One kind of work: the model it began with and the one it moves to, and how it asks.

    Batches have `smallest` to `largest` requests with prompts of some `prompt_tokens`;
    `weight` is how often they come.
    """

    first_model: str
    later_model: str
    smallest: int
    largest: int
    prompt_tokens: int
    weight: int


class Team(NamedTuple):
    """One workspace's projects, and the ages in days at which it has a batch in any case.

    Of two batches the results are soon lost, of two they are lost already.
    """

    projects: Sequence[Project]
    certain_ages: Sequence[float]


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
    """Return `count` batches that ended more than an hour ago, the youngest a day old."""
    certain = team.certain_ages if count > 2 * len(team.certain_ages) else ()
    moments = [now - timedelta(days=age) for age in certain]
    moments += _working_moments(now, count - len(moments), draws)
    return [_scene(at, created_at, now, team, draws) for at, created_at in enumerate(moments)]


def _working_moments(now: datetime, count: int, draws: Draws) -> list[datetime]:
    """Spread `count` moments over the last weeks: more of them lately, few at weekends."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=ago) for ago in range(DAYS, 0, -1)]
    weights = [
        (1 + at / DAYS) * (WEEKEND_SHARE if day.weekday() >= 5 else 1)
        for at, day in enumerate(days)
    ]
    heaps = list(accumulate(weights))
    moments = []
    for at in range(count):
        # One draw in each of `count` equal parts: chance, but no lumps.
        share = (at + draws.unit()) / count * heaps[-1]
        day = next(day for day, heap in zip(days, heaps, strict=True) if share < heap)
        moment = day + timedelta(hours=draws.between(6, 21))
        # Old enough to have ended whatever it does.
        moments.append(min(moment, now - EXPIRES_AFTER - timedelta(hours=1)))
    return moments


def _scene(at: int, created_at: datetime, now: datetime, team: Team, draws: Draws) -> Scene:
    progress = max(0.0, 1 - (now - created_at) / timedelta(days=DAYS))
    project = draws.pick([each for each in team.projects for _ in range(each.weight)])
    requests = round(draws.between(project.smallest, project.largest) * (0.7 + 0.5 * progress))
    # The move from one model to the next takes the middle half of the time.
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
