"""Rows as a queue: who may claim one, for how long, and with clocks that are wrong."""

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batches import clock
from batches.models import Chore, ClaimLost
from batches.models.claim import back_off
from tests.working import claim

# No time on a row is further in the future than this.
LONGEST_WAIT = timedelta(hours=6)


@pytest.fixture
def chore(db) -> Chore:
    return Chore.objects.create(name="sweep")


def is_due(at) -> bool:
    return Chore.objects.due(at).exists()


def test_only_one_process_can_claim_a_row(chore):
    now = timezone.now()

    _, first = Chore.objects.take([chore.pk], now, owner="a")
    _, second = Chore.objects.take([chore.pk], now, owner="b")

    assert (first, second) == ([chore.pk], [])


def test_a_claim_that_is_not_renewed_is_free_after_half_a_minute(chore):
    now = timezone.now()
    Chore.objects.take([chore.pk], now, owner="killed")

    assert not is_due(now + timedelta(seconds=29))
    assert is_due(now + timedelta(seconds=30))


def test_a_renewed_claim_is_kept(chore):
    now = timezone.now()
    token, _ = Chore.objects.take([chore.pk], now, owner="a")

    assert Chore.objects.renew({chore.pk: token}, now + timedelta(seconds=20)) == 1

    assert not is_due(now + timedelta(seconds=49))
    assert is_due(now + timedelta(seconds=50))


def test_a_process_that_lost_its_claim_can_write_nothing(chore):
    mine = claim(chore)
    Chore.objects.filter(pk=chore.pk).update(claim="another's")

    for write in (
        lambda: mine.done(timezone.now(), seconds=60),
        lambda: mine.put_off(timezone.now(), "an error"),
        lambda: mine.hand_back(timezone.now()),
    ):
        with pytest.raises(ClaimLost):
            write()

    chore.refresh_from_db()
    assert (chore.claim, chore.error, chore.next_attempt_at) == ("another's", "", None)


def test_each_failure_is_saved_with_its_error_and_retried_later(chore, monkeypatch):
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    now = timezone.now()
    waits = []

    for _ in range(7):
        mine = claim(chore)
        waits.append(mine.put_off(now, "no route to host", request_id="req_7"))
        Chore.objects.update(next_attempt_at=None)

    chore.refresh_from_db()
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    assert (chore.attempts, chore.error, chore.request_id) == (7, "no route to host", "req_7")
    assert chore.claim == ""


def test_a_success_clears_the_error_and_says_when_it_is_due_again(chore):
    now = timezone.now()
    claim(chore).put_off(now, "an error", seconds=0)

    claim(chore).done(now, seconds=60)

    chore.refresh_from_db()
    assert (chore.attempts, chore.error, chore.error_at) == (0, "", None)
    assert not is_due(now + timedelta(seconds=59))
    assert is_due(now + timedelta(seconds=60))


def test_a_row_that_was_handed_back_is_as_due_as_before(chore):
    mine = claim(chore)

    mine.hand_back(timezone.now())

    chore.refresh_from_db()
    assert is_due(timezone.now())
    assert chore.attempts == 0


def test_only_the_dead_owners_claims_are_released(db):
    now = timezone.now()
    rows = [Chore.objects.create(name=name) for name in ("a", "b")]
    Chore.objects.take([rows[0].pk], now, owner="dead")
    Chore.objects.take([rows[1].pk], now, owner="alive")

    assert Chore.objects.release("dead", now) == 1

    assert [row.name for row in Chore.objects.due(now)] == ["a"]


@given(
    ahead=st.timedeltas(min_value=timedelta(seconds=6), max_value=timedelta(days=400)),
    wait=st.floats(min_value=0, max_value=LONGEST_WAIT.total_seconds()),
    is_claimed=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_times_written_by_a_clock_that_is_ahead_never_delay_a_row(chore, ahead, wait, is_claimed):
    Chore.objects.update(claim="", claimed_until=None, next_attempt_at=None, stamped_at=None)
    now = timezone.now()
    Chore.objects.take([chore.pk], now + ahead, owner="a")
    if not is_claimed:
        Chore.objects.get().put_off(now + ahead, "an error", seconds=wait)

    assert is_due(now)


@given(wait=st.floats(min_value=0.001, max_value=LONGEST_WAIT.total_seconds()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_with_a_right_clock_a_row_waits_as_long_as_it_should(chore, wait):
    Chore.objects.update(claim="", claimed_until=None, next_attempt_at=None, stamped_at=None)
    now = timezone.now()
    claim(chore).put_off(now, "an error", seconds=wait)

    assert not is_due(now + timedelta(seconds=wait) - timedelta(milliseconds=1))
    assert is_due(now + timedelta(seconds=wait))


@given(attempts=st.integers(min_value=1, max_value=10**6))
def test_no_back_off_is_longer_than_the_longest(attempts):
    assert 0 < back_off(attempts, first=2, longest=300) <= 300


def test_eight_processes_that_claim_at_once_share_the_rows(committed):
    rows = [Chore.objects.create(name=f"chore {n}").pk for n in range(40)]
    start = threading.Barrier(8)
    taken: list[int] = []

    def take() -> None:
        start.wait()
        try:
            for at in range(0, len(rows), 5):
                taken.extend(Chore.objects.take(rows[at : at + 5], timezone.now(), owner="x")[1])
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == rows


class Server:
    """A PostgreSQL connection from a machine whose clock shows this time."""

    vendor = "postgresql"

    def __init__(self, at) -> None:
        self.at = at

    @contextmanager
    def cursor(self):
        yield self

    def execute(self, sql: str) -> None:
        assert sql == "SELECT clock_timestamp()"

    def fetchone(self):
        return [self.at]


@pytest.mark.parametrize("minutes", [-5, 5])
def test_machines_whose_clocks_differ_by_minutes_use_the_servers_clock(monkeypatch, minutes):
    monkeypatch.setattr(clock, "_ahead", timedelta(0))
    right = timezone.now()

    # How far this machine's clock is wrong.
    with time_machine.travel(right + timedelta(minutes=minutes)):
        clock.compare(Server(right))
        seen = clock.now()

    assert abs(seen - right) < timedelta(seconds=2)


def test_the_time_that_the_query_takes_is_not_a_difference_of_clocks(monkeypatch):
    monkeypatch.setattr(clock, "_ahead", timedelta(0))

    with time_machine.travel(timezone.now(), tick=False):
        clock.compare(Server(timezone.now() - timedelta(milliseconds=40)))

        assert clock.now() == timezone.now()
