from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.list.keyset import ORDERS, BadCursor, Position

MOMENTS = st.datetimes(timezones=st.just(UTC))
KEYS = st.integers(1, 10**18 - 1)
POSITIONS = st.sampled_from(sorted(ORDERS)).flatmap(
    lambda sort: st.builds(
        Position,
        st.just(sort),
        KEYS,
        MOMENTS if ORDERS[sort].column == "created_at" else st.integers(-2, 2 * 10**18),
        KEYS,
    )
)


@given(POSITIONS)
def test_a_cursor_reads_back_as_the_position_it_was_written_from(position):
    assert Position.from_text(str(position), position.sort) == position


@given(st.text())
@example("a" * 5)
@example("YWN0aXZlfDF8MjAyNi05OS05OVQwMDowMDowMCswMDowMHwx")
def test_made_up_text_is_refused_and_nothing_else_happens(text):
    with pytest.raises(BadCursor):
        Position.from_text(text, "active")


@pytest.mark.parametrize("sort", ["oldest", "largest"])
def test_a_cursor_of_another_order_is_refused(sort):
    position = Position("newest", 50, datetime(2026, 11, 24, tzinfo=UTC), 7)

    with pytest.raises(BadCursor):
        Position.from_text(str(position), sort)


@pytest.mark.parametrize("number", ["9" * 19, "9" * 40])
def test_a_number_that_no_column_can_hold_is_refused(number):
    with pytest.raises(BadCursor):
        Position.from_text(str(Position("largest", 50, int(number), 7)), "largest")
