"""The demo's batches: in every state at the start, and new ones from time to time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from batches.sandbox.chance import Draws
from batches.sandbox.demo_history import TEAMS, history
from batches.sandbox.life import EXPIRES_AFTER, FinalCounts, StoredBatch
from batches.sandbox.planning import plan
from batches.sandbox.scenes import Scene, staged
from batches.sandbox.world import World

# Small and cheap, so that a demo that runs for days doesn't dwarf its history.
DRIP_SIZES = (1, 3, 12, 12, 40, 40, 80, 150, 400)
PROMPT_TOKENS = 600
# The model of the largest initial batches, for the same reason.
LARGE, CHEAPEST_MODEL = 5_000, "claude-haiku-5-5"
MOST_CAUGHT_UP = 50
# A running batch's age and remaining time together stay below its 24 hours.
LONGEST_REMAINING = EXPIRES_AFTER - timedelta(hours=1)
UNPRICED_MODEL = "claude-mythos-5-1"
# A tenth of all requests take several passes.
QUIRKS = ("passes",)


def seed_world(world: World, count: int, workspaces: Sequence[str]) -> None:
    """Add `count` batches to a world that never had any.

    The first workspace gets three in five, the second two. Each gets batches in every state first,
    where live ones run for real minutes at any clock speed, and then a history of about six weeks,
    most of it within the 29 days that results are kept.
    """
    if world.store.count():
        return
    now = world.clock.now()
    turns = [(0, 1, 0, 1, 0)[at % 5] % len(workspaces) for at in range(count)]
    scenes = [
        iter(_scenes(world, now, at, workspace, turns.count(at)))
        for at, workspace in enumerate(workspaces)
    ]
    batches: list[StoredBatch] = []
    for at, turn in enumerate(turns):
        batch_id = f"msgbatch_01{Draws(world.seed, 'seed', at).word(22)}"
        batches.append(
            staged(replace(next(scenes[turn]), quirks=QUIRKS), batch_id, workspaces[turn], now)
        )
    batches.sort(key=lambda batch: batch.created_at)
    world.add(batches)


def _scenes(world: World, now: datetime, at: int, workspace: str, count: int) -> list[Scene]:
    """`count` scenes: first those in every state, the most important first, then history."""
    # The second workspace's batches are smaller and newer than the first's.
    scale = 1 / (1 + at)
    live, past = _live(now, world.clock.speed, scale), _past(now, scale)
    # Live and past batches alternate, so that a small world has both.
    every_state = [
        replace(scene, prompt_tokens=PROMPT_TOKENS)
        for pair in zip(live, past, strict=True)
        for scene in pair
    ][:count]
    draws = Draws(world.seed, "cast", workspace)
    return every_state + history(now, count - len(every_state), TEAMS[at % len(TEAMS)], draws)


def _live(now: datetime, speed: float, scale: float) -> list[Scene]:
    def running(requests: int, age_minutes: float, real_minutes: float) -> Scene:
        age = timedelta(minutes=age_minutes) * scale
        remaining = min(timedelta(minutes=real_minutes) * speed, LONGEST_REMAINING - age)
        requests = ceil(requests * scale)
        return Scene(
            requests=requests,
            created_at=now - age,
            duration=age + remaining,
            models=(CHEAPEST_MODEL,) if requests >= LARGE else (),
        )

    def canceling(requests: int, age_minutes: float, real_minutes: float) -> Scene:
        age = timedelta(minutes=age_minutes) * scale
        remaining = timedelta(minutes=real_minutes) * speed
        requests = ceil(requests * scale)
        return Scene(
            status="canceling",
            requests=requests,
            canceled=requests * 2 // 3,
            created_at=now - age,
            duration=min(age + remaining * 3, EXPIRES_AFTER),
            cancel_initiated_at=now - age / 4,
            canceling_for=min(remaining, LONGEST_REMAINING - age),
        )

    return [
        running(20_000, 14, 45),
        canceling(5_000, 38, 6),
        running(1_200, 3, 30),
        running(150, 6, 2),
        running(100_000, 47, 240),
        running(12, 1, 25),
        running(400, 9, 5),
        running(2_500, 22, 120),
    ]


def _past(now: datetime, scale: float) -> list[Scene]:
    def ended(hours_ago: float, minutes: float, counts: FinalCounts) -> Scene:
        return Scene(
            status="ended",
            created_at=now - timedelta(hours=hours_ago),
            duration=timedelta(minutes=minutes),
            succeeded=ceil(counts.succeeded * scale),
            errored=ceil(counts.errored * scale),
            canceled=ceil(counts.canceled * scale),
            expired=ceil(counts.expired * scale),
            models=(CHEAPEST_MODEL,) if counts.total >= LARGE else (),
        )

    late_start = now - timedelta(hours=3)
    return [
        ended(1.2, 18, FinalCounts(succeeded=1_200)),
        ended(2.1, 41, FinalCounts(succeeded=371, errored=29)),
        ended(5.5, 12, FinalCounts(succeeded=412, errored=3, canceled=785)),
        ended(
            27,
            EXPIRES_AFTER / timedelta(minutes=1),
            FinalCounts(succeeded=1_203, errored=12, expired=285),
        ),
        ended(9, 2, FinalCounts(errored=40)),
        Scene(
            status="ended",
            requests=150,
            created_at=late_start,
            duration=timedelta(minutes=16),
            cancel_initiated_at=late_start + timedelta(minutes=15, seconds=40),
        ),
        ended(31 * 24, 33, FinalCounts(succeeded=4_988, errored=12)),
        Scene(
            status="ended",
            requests=250,
            created_at=now - timedelta(hours=30),
            duration=timedelta(minutes=9),
            models=(UNPRICED_MODEL,),
        ),
    ]


class Drip:
    """Adds a batch to one of the workspaces every `interval` of the sandbox's time.

    The seed determines the batches and their times, so they are the same after a restart.
    """

    def __init__(self, world: World, interval: timedelta, workspaces: Sequence[str]) -> None:
        self._world = world
        self._interval = interval
        self._workspaces = workspaces
        note = world.store.note("dripped")
        self._done = int(note) if note else self._turn()

    def catch_up(self) -> None:
        """Add the batches that are due, but after a long pause only the latest 51."""
        turn = self._turn()
        if turn <= self._done:
            return
        with self._world.store.transaction():
            for each in range(max(self._done + 1, turn - MOST_CAUGHT_UP), turn + 1):
                self._world.add([self._batch(each)])
            self._world.store.set_note("dripped", str(turn))
            self._done = turn

    def _turn(self) -> int:
        return int(self._world.clock.now().timestamp() // self._interval.total_seconds())

    def _batch(self, turn: int) -> StoredBatch:
        seed = self._world.seed
        draws = Draws(seed, "drip", turn)
        start = datetime.fromtimestamp(
            turn * self._interval.total_seconds(), self._world.clock.now().tzinfo
        )
        batch_id = f"msgbatch_01{draws.word(22)}"
        requests = draws.pick(DRIP_SIZES)
        planned = plan(start, requests, 0, draws)
        return StoredBatch(
            id=batch_id,
            workspace=draws.pick(self._workspaces),
            created_at=start,
            ends_at=planned.ends_at,
            planned=planned.counts,
            prompt_tokens=PROMPT_TOKENS,
            quirks=QUIRKS,
            is_interruptible=planned.is_interruptible,
        )
