"""A results file that drips, never ends or finds no room frees its reader, and says why."""

import tempfile

import pytest

from batches.models import Reading
from batches.results.reading import read_results
from batches.turn import Turn
from tests.batches.results.files import SUCCEEDED, fresh
from tests.working import claim, read_now

pytestmark = pytest.mark.usefixtures("no_waits")


class Watch:
    """A clock that goes as far as the test says with each look."""

    def __init__(self, step: float) -> None:
        self.at, self.step = 0.0, step

    def monotonic(self) -> float:
        self.at += self.step
        return self.at


@pytest.fixture
def watch(monkeypatch):
    def watch(step: float) -> None:
        monkeypatch.setattr("batches.results.reading.time", Watch(step))

    return watch


def test_a_file_that_drips_without_a_line_end_is_given_up(answering, watch):
    taken = []

    def drip():
        yield b"{"
        for _ in range(10_000):
            taken.append(1)
            yield b" "

    batch = answering(drip(), requests=1)
    watch(1.0)

    assert not read_now(batch)

    assert len(taken) < 100
    assert "too slowly" in Reading.objects.get().error
    assert fresh(batch).results_state == "pending"


def test_a_file_that_does_not_end_within_an_hour_is_given_up(answering, watch):
    batch = answering((SUCCEEDED + b"\n" for _ in range(10_000)), requests=10_000)
    # Quick enough, and on and on.
    watch(0.05)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batches.results.reading.LONGEST_READING_SECONDS", 30.0)

        assert not read_now(batch)

    assert "within an hour" in Reading.objects.get().error


def test_a_reader_that_is_told_to_stop_gives_the_file_back_at_once(answering):
    read = []

    def pieces():
        for _ in range(100):
            read.append(1)
            yield SUCCEEDED + b"\n"

    batch = answering(pieces(), requests=100)
    row = claim(Reading.objects.create(batch=batch))

    assert not read_results(row, Turn(is_stopping=lambda: len(read) >= 3))

    row.refresh_from_db()
    assert (row.claim, row.attempts, row.next_attempt_at) == ("", 0, None)
    assert len(read) < 10


def test_a_reader_holds_no_database_connection_while_the_api_may_hang(answering):
    order = []

    def pieces():
        order.append("opened")
        yield SUCCEEDED + b"\n"

    batch = answering(pieces(), requests=1)
    row = claim(Reading.objects.create(batch=batch))

    assert read_results(row, Turn(let_go=lambda: order.append("let go")))

    assert order == ["let go", "opened"]


def test_without_room_for_temporary_files_the_batch_says_so_and_is_tried_again(ended, monkeypatch):
    batch = ended(requests=60, errored=60)
    monkeypatch.setattr("batches.results.tally.SPOOLED_BYTES", 100)
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")

    assert not read_now(batch)

    row = Reading.objects.get()
    assert "no space for temporary files" in row.error
    assert "TMPDIR" in row.error
    assert row.next_attempt_at
    assert fresh(batch).results_state == "pending"
