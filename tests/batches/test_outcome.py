from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.outcome import outcome_of, outcome_sentence, segments


@dataclass
class Counts:
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


counts = st.builds(Counts, *[st.integers(0, 2**40)] * 5)


@pytest.mark.parametrize(
    ("ended", "canceled_first", "sentence"),
    [
        (Counts(succeeded=10), False, "all succeeded, 10"),
        (Counts(succeeded=7, errored=3), False, "3 of 10 failed"),
        (Counts(errored=4), False, "all failed, 4"),
        (Counts(succeeded=7, canceled=3), True, "canceled: 3 of 10"),
        (Counts(succeeded=10), True, "finished before the cancel"),
        (Counts(succeeded=1200, expired=300), False, "expired: 300 of 1,500"),
        (Counts(succeeded=1, canceled=2, expired=3), True, "canceled: 2 of 6"),
        (Counts(), False, "outcome unknown"),
        (Counts(processing=1, succeeded=1), False, "outcome unknown"),
    ],
)
def test_an_ended_batch_has_a_sentence_about_its_outcome(ended, canceled_first, sentence):
    outcome = outcome_of("ended", ended, cancel_initiated=canceled_first)

    assert outcome_sentence(outcome, ended) == sentence


@given(counts, st.sampled_from(["in_progress", "canceling", "paused"]), st.booleans())
def test_a_batch_has_no_outcome_before_it_ends(tally, status, canceled):
    assert outcome_of(status, tally, cancel_initiated=canceled) == ""


@given(counts, st.booleans())
def test_an_outcome_never_says_more_than_the_counts(tally, canceled):
    outcome = outcome_of("ended", tally, cancel_initiated=canceled)

    if outcome == "all_succeeded":
        assert tally.succeeded == tally.total > 0
    if outcome == "canceled":
        assert tally.canceled > 0
    if outcome == "canceled_too_late":
        assert canceled
        assert tally.canceled == 0
    if outcome == "all_failed":
        assert tally.succeeded == 0
        assert tally.errored > 0


@given(counts)
def test_a_bars_segments_are_the_counts_and_fill_it(tally):
    parts = segments(tally)

    assert sum(part.count for part in parts) == tally.total
    if parts:
        assert parts[0].start == 0
        assert sum(part.width for part in parts) == pytest.approx(100)
        assert all(0 <= part.start <= 100 for part in parts)
