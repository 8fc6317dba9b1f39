"""The repeatable random numbers behind everything that the sandbox generates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches.sandbox.chance import Draws, Shuffle


@given(size=st.integers(1, 3000), seed=st.integers())
def test_a_shuffle_contains_every_index_once(size, seed):
    shuffle = Shuffle(size, seed)

    assert sorted(shuffle[at] for at in range(size)) == list(range(size))


@pytest.mark.parametrize("index", [-1, 5])
def test_a_shuffle_has_no_index_beyond_its_size(index):
    with pytest.raises(IndexError):
        Shuffle(5, "seed")[index]


def test_a_shuffle_leaves_few_values_in_place():
    shuffle = Shuffle(1000, "seed")

    assert sum(shuffle[at] == at for at in range(1000)) < 10


@given(words=st.lists(st.text(), min_size=1))
def test_the_same_words_draw_the_same_numbers(words):
    one, other = Draws(*words), Draws(*words)

    assert [one.unit() for _ in range(40)] == [other.unit() for _ in range(40)]


@given(seed=st.integers(), limit=st.integers(1, 10**6))
def test_draws_stay_within_their_bounds(seed, limit):
    draws = Draws(seed)

    assert 0 <= draws.unit() < 1
    assert 0 <= draws.below(limit) < limit
    assert 3 <= draws.between(3, 4) <= 4
    assert draws.around(10, 2) > 0


def test_draws_are_uniform():
    draws = Draws("even")

    tallies = [draws.below(4) for _ in range(4000)]

    assert all(900 < tallies.count(each) < 1100 for each in range(4))
