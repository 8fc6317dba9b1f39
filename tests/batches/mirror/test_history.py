from datetime import timedelta

from batches.mirror.history import Estimate, estimate, percentile, usual_canceling


def test_four_batches_say_nothing_and_five_do(sandbox, workspace, sync):
    for minutes in (10, 20, 30, 40):
        sandbox.add_batch(status="ended", requests=20, duration=timedelta(minutes=minutes))
    sync(workspace)
    assert estimate(workspace, 20) is None

    sandbox.add_batch(status="ended", requests=99, duration=timedelta(minutes=50))
    sync(workspace)

    # Of 10, 20, 30, 40 and 50 minutes half took at most 30, and nine tenths at most 50.
    assert estimate(workspace, 55) == Estimate(sample=5, p50=1800.0, p90=3000.0)
    assert estimate(workspace, 5000) is None


def test_canceled_batches_don_t_count_as_what_batches_take(sandbox, workspace, sync):
    for _ in range(9):
        sandbox.add_batch(status="ended", requests=20, succeeded=10, canceled=10)

    sync(workspace)

    assert estimate(workspace, 20) is None
    assert usual_canceling(workspace) != timedelta(minutes=10)


def test_canceling_is_late_after_ten_minutes_where_there_is_no_history(workspace):
    assert usual_canceling(workspace) == timedelta(minutes=10)


def test_a_percentile_is_a_value_that_occurred():
    assert percentile([5, 1, 4, 2, 3], 50) == 3
    assert percentile([5, 1, 4, 2, 3], 90) == 5
    assert percentile([7], 50) == 7
