"""Resumes stored state: with the same seed, and a clock that never goes back."""

from datetime import datetime
from pathlib import Path

from batches.sandbox.clock import Clock, SandboxClock
from batches.sandbox.store import Store


def open_state(
    path: str | Path | None, read: Clock, *, seed: int, speed: float
) -> tuple[Store, SandboxClock]:
    """The store at `path` (None for one in memory) and its clock.

    Raises what `Store` and `resumed_clock` raise, after closing the store.
    """
    store = Store(path)
    try:
        return store, resumed_clock(store, read, seed=seed, speed=speed)
    except BaseException:
        store.close()
        raise


def resumed_clock(store: Store, read: Clock, *, seed: int, speed: float) -> SandboxClock:
    """The store's clock. It has run at its old speed until now, and continues at `speed`.

    A new store's clock starts with `read`. Raises ValueError if the store was created with another
    seed, as its batches would get different results.
    """
    with store.transaction():
        known_seed = store.note("seed")
        if known_seed not in (None, str(seed)):
            raise ValueError(f"This state was created with seed {known_seed}, not {seed}.")
        since, showing, old_speed = (store.note(n) for n in ("since", "showing", "speed"))
        clock = SandboxClock(read, speed=speed)
        if since and showing and old_speed:
            before = SandboxClock(
                read,
                speed=float(old_speed),
                since=datetime.fromisoformat(since),
                showing=datetime.fromisoformat(showing),
            )
            clock = SandboxClock(read, speed=speed, since=clock.since, showing=before.now())
        store.set_note("seed", str(seed))
        store.set_note("since", clock.since.isoformat())
        store.set_note("showing", clock.showing.isoformat())
        store.set_note("speed", repr(speed))
    return clock
