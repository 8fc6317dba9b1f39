from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from batches.mirror.throughput import throughput
from batches.models import Batch, Observation
from tests.mirroring import mirror, mirror_change

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.fixture
def moving(workspace):
    """A function that mirrors a batch of 600, with what is still processing at each minute."""

    def moving(processing: dict[float, int], *, synced: float) -> Batch:
        batch = mirror(workspace, "one", now=NOON, created_at=NOON, processing=600)
        for minute, left in processing.items():
            counts = {"processing": left, "succeeded": 600 - left}
            mirror_change(batch, now=NOON + minutes(minute), **counts)
        workspace.last_synced_at = NOON + minutes(synced)
        batch.workspace = workspace
        return batch

    return moving


def speed_of(batch: Batch):
    return throughput(batch, list(batch.observations.order_by("-seen_from", "-id")))


def test_a_batch_that_changes_in_every_round_has_one_state_a_minute(moving):
    batch = moving({n / 6: 600 - n for n in range(1, 31)}, synced=5)

    kept = list(Observation.objects.filter(batch=batch))

    assert len(kept) == 5
    gaps = [later.seen_until - sooner.seen_until for sooner, later in pairwise(kept)]
    assert min(gaps) >= minutes(1)


def test_the_speed_is_that_of_the_last_quarter_of_an_hour(moving):
    # 30 a minute for 20 minutes, then 6 a minute.
    batch = moving({20: 300, 30: 240, 40: 180}, synced=40)

    speed = speed_of(batch)

    # The state of minute 20 lasted until minute 30.
    assert (speed.finished, speed.span) == (120, minutes(15))
    assert speed.per_minute == 8
    assert speed.seconds_left == 180 / 8 * 60


def test_a_batch_that_stands_still_has_no_time_left(moving):
    speed = speed_of(moving({5: 300}, synced=40))

    assert speed.finished == 0
    assert speed.seconds_left is None


@pytest.mark.parametrize("processing", [{}, {5: 600}], ids=["never", "not at all"])
def test_nothing_is_said_where_counts_do_not_move(moving, processing):
    assert speed_of(moving(processing, synced=40)) is None


def test_nothing_is_said_of_the_first_seconds_or_after_the_end(moving, change_to_ended):
    batch = moving({0.5: 590}, synced=0.6)
    young = speed_of(batch)

    change_to_ended(batch)

    assert young is None
    assert speed_of(batch) is None


@pytest.fixture
def change_to_ended():
    def change_to_ended(batch: Batch) -> None:
        mirror_change(
            batch, now=NOON + minutes(50), processing_status="ended", ended_at=NOON + minutes(50),
            processing=0, succeeded=600,
        )  # fmt: skip

    return change_to_ended
