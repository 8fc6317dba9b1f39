"""Rounded parts add up to the rounded total."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.rounding import CENT, apportioned, apportioned_table, nearest, unit_for

DOLLARS = st.decimals(0, 10_000, places=7)
# Real tables have many equal cells, whole cents and zeros.
COMMON = st.sampled_from([Decimal(text) for text in ("0", "0.005", "0.0033", "1.00", "0.0149")])


def sums(table: list[list[Decimal]]) -> tuple[list[Decimal], list[Decimal]]:
    return [sum(row) for row in table], [sum(column) for column in zip(*table, strict=True)]


def is_neighbor(shown: Decimal, exact: Decimal) -> bool:
    """Whether it is the exact amount rounded up or down to a whole cent."""
    return shown % CENT == 0 and abs(shown - exact) < CENT


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        # The page of a batch once showed $2.50 + $2.50 = $4.99.
        (["2.4951", "2.4949"], ["2.50", "2.49"]),
        (["0.333", "0.333", "0.334"], ["0.33", "0.33", "0.34"]),
        (["0.005", "0.005"], ["0.01", "0.00"]),
        (["0.004", "0.004"], ["0.01", "0.00"]),
        (["1.00", "0.004", "0.003"], ["1.00", "0.01", "0.00"]),
        (["1.00", "0.004"], ["1.00", "0.00"]),
        ([], []),
    ],
)
def test_the_largest_remainders_go_up(parts, shown):
    figures = [Decimal(part) for part in parts]

    found = apportioned(figures, nearest(sum(figures, Decimal(0)), CENT), CENT)

    assert found == [Decimal(part) for part in shown]


@pytest.mark.parametrize("total", ["0.00", "99.00"])
def test_parts_that_no_longer_add_up_are_still_rounded(total):
    shown = apportioned([Decimal("1.003"), Decimal("2.008")], Decimal(total), CENT)

    assert all(map(is_neighbor, shown, [Decimal("1.003"), Decimal("2.008")]))


@given(st.lists(DOLLARS | COMMON))
def test_parts_add_up_and_none_is_off_by_a_cent(parts):
    total = nearest(sum(parts, Decimal(0)), CENT)

    shown = apportioned(parts, total, CENT)

    assert sum(shown, Decimal(0)) == total
    assert all(map(is_neighbor, shown, parts))


@given(st.lists(st.tuples(DOLLARS, DOLLARS)))
def test_savings_add_up_to_the_difference_of_two_rounded_totals(pairs):
    costs, savings = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    cost = nearest(sum(costs, Decimal(0)), CENT)
    standard = nearest(sum(costs + savings, Decimal(0)), CENT)

    shown = apportioned(savings, standard - cost, CENT)

    assert sum(shown, Decimal(0)) == standard - cost
    assert all(map(is_neighbor, shown, savings))


@given(st.data(), st.integers(1, 9), st.integers(1, 9))
def test_in_a_table_rows_columns_and_the_whole_add_up(data, height, width):
    row = st.lists(DOLLARS | COMMON, min_size=width, max_size=width)
    table = data.draw(st.lists(row, min_size=height, max_size=height))

    shown = apportioned_table(table, CENT)

    for cells, exact in zip(shown, table, strict=True):
        assert all(map(is_neighbor, cells, exact))
    for shown_sums, exact_sums in zip(sums(shown), sums(table), strict=True):
        assert all(map(is_neighbor, shown_sums, exact_sums))
    assert sum(sums(shown)[0]) == nearest(sum(sums(table)[0]), CENT)


def test_a_table_that_plain_rounding_would_break():
    # Three rows of $0.01, two columns of $0.015: rounded cell by cell, nothing adds up.
    shown = apportioned_table([[Decimal("0.005"), Decimal("0.005")]] * 3, CENT)

    assert sums(shown)[0] == [CENT, CENT, CENT]
    assert sorted(sums(shown)[1]) == [CENT, 2 * CENT]


@pytest.mark.parametrize("table", [[], [[]], [[], []]])
def test_an_empty_table_stays_empty(table):
    assert apportioned_table(table, CENT) == table


@pytest.mark.parametrize(
    ("total", "parts", "unit"),
    [
        ("26.50", ["0.0012"], "0.01"),
        ("1", [], "0.01"),
        ("0", [], "0.01"),
        ("0.55", ["0.25", "0.30"], "0.01"),
        ("0.55", ["0.255", "0.295"], "0.0001"),
        ("0.3512", [], "0.0001"),
        ("0.0061", [], "0.0001"),
        ("0.00061", [], "0.00001"),
        ("0.000000123", [], "0.00000001"),
    ],
)
def test_small_totals_are_shown_in_smaller_units(total, parts, unit):
    assert unit_for(Decimal(total), map(Decimal, parts)) == Decimal(unit)
