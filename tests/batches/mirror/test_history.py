from datetime import timedelta

from batches.mirror.history import Estimate, estimate, percentile, usual_canceling


def test_an_estimate_needs_five_batches(sandbox, workspace, sync):
    for minutes in (10, 20, 30, 40):
        sandbox.add_batch(status="ended", requests=20, duration=timedelta(minutes=minutes))
    sync(workspace)
    assert estimate(workspace, 20) is None

    sandbox.add_batch(status="ended", requests=99, duration=timedelta(minutes=50))
    sync(workspace)

    # Of 10, 20, 30, 40 and 50 minutes, half are at most 30 and 90% at most 50.
    assert estimate(workspace, 55) == Estimate(sample=5, p50=1800.0, p90=3000.0)
    assert estimate(workspace, 5000) is None


def test_canceled_batches_do_not_count_for_the_estimate(sandbox, workspace, sync):
    for _ in range(9):
        sandbox.add_batch(status="ended", requests=20, succeeded=10, canceled=10)

    sync(workspace)

    assert estimate(workspace, 20) is None
    assert usual_canceling(workspace) != timedelta(minutes=10)


def test_without_history_canceling_is_late_after_ten_minutes(workspace):
    assert usual_canceling(workspace) == timedelta(minutes=10)


def test_a_percentile_is_one_of_the_values():
    assert percentile([5, 1, 4, 2, 3], 50) == 3
    assert percentile([5, 1, 4, 2, 3], 90) == 5
    assert percentile([7], 50) == 7
