from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.list.keyset import ORDERS, BadCursor, Position

positions = st.builds(
    Position,
    st.sampled_from(sorted(ORDERS)),
    st.booleans(),
    st.datetimes(timezones=st.just(UTC)),
    st.integers(1, 10**18 - 1),
)


@given(positions)
def test_a_cursor_reads_back_as_the_position_it_was_written_from(position):
    assert Position.from_text(str(position), position.sort) == position


@given(st.text())
@example("a" * 5)
@example("YWN0aXZlfDF8MjAyNi05OS05OVQwMDowMDowMCswMDowMHwx")
def test_made_up_text_is_refused_and_nothing_else_happens(text):
    with pytest.raises(BadCursor):
        Position.from_text(text, "active")


def test_a_cursor_of_another_order_is_refused():
    position = Position("newest", True, datetime(2026, 11, 24, tzinfo=UTC), 7)

    with pytest.raises(BadCursor):
        Position.from_text(str(position), "oldest")
