from decimal import Decimal

import pytest

from dashboard.words import (
    exact_usd,
    less,
    percent_change,
    shown_percent,
    shown_usd,
    tokens,
    usd,
)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("0", "$0.00"),
        ("1234.565", "$1,234.57"),
        ("0.01", "$0.01"),
        ("0.0149", "$0.01"),
        ("0.00123", "$0.0012"),
        ("0.009999", "$0.01"),
        ("0.0000000123", "$0.000000012"),
        ("-1.2", "−$1.20"),
        ("-0.004", "−$0.0040"),
        (None, "unknown"),
    ],
)
def test_dollars_are_rounded_to_cents_or_two_digits(amount, words):
    assert usd(None if amount is None else Decimal(amount)) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("3", "$3.00"),
        ("0.5", "$0.50"),
        ("1234567.100", "$1,234,567.10"),
        ("0.000000125000", "$0.000000125"),
        ("1E+3", "$1,000.00"),
        ("-2.125", "−$2.125"),
        (None, "unknown"),
    ],
)
def test_exact_dollars_are_not_rounded(amount, words):
    assert exact_usd(None if amount is None else Decimal(amount)) == words


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        ("5", "4", "+25%"),
        ("3.84", "4", "−4.0%"),
        ("4", "4", "unchanged"),
        ("0", "4", "−100%"),
        ("8", "4", "+100%"),
        ("8.1", "4", "+103%"),
        ("4.398", "4", "+10%"),
        ("4.392", "4", "+9.8%"),
        ("50000", "4", "+1,249,900%"),
        ("4.003", "4", "changed by less than 0.1%"),
        ("4.004", "4", "+0.1%"),
    ],
)
def test_a_change_has_a_sign(now, before, words):
    assert percent_change(Decimal(now), Decimal(before)) == words


@pytest.mark.parametrize(
    ("amount", "other", "words"),
    [
        # $10.02 and $10.00.
        ("10.016", "10.004", "$0.02"),
        ("10.004", "10.016", "−$0.02"),
        # Both $10.01.
        ("10.0101", "10.005", "$0.0051"),
        ("5", "5", "$0.00"),
        ("0.0051", "0", "$0.0051"),
        ("5", "0", "$5.00"),
    ],
)
def test_a_difference_is_that_of_the_amounts_next_to_it(amount, other, words):
    assert less(Decimal(amount), Decimal(other)) == words


@pytest.mark.parametrize(
    ("shown", "exact", "words"),
    [
        ("1234.50", "1234.4999", "$1,234.50"),
        ("0.3500", "0.35", "$0.3500"),
        ("0.00", "0", "$0.00"),
        ("0.00", "0.0012", "<$0.01"),
        ("0.0000", "0.00001", "<$0.0001"),
        ("0.00", None, "unknown"),
        ("-0.01", "-0.012", "−$0.01"),
    ],
)
def test_a_rounded_amount_is_zero_only_if_the_exact_one_is(shown, exact, words):
    assert shown_usd(Decimal(shown), None if exact is None else Decimal(exact)) == words


def test_a_small_share_is_not_zero():
    assert shown_percent(Decimal("0.0"), Decimal("0.04")) == "<0.1%"
    assert shown_percent(Decimal("0.0"), Decimal(0)) == "0.0%"
    assert shown_percent(Decimal("62.3"), Decimal("62.264")) == "62.3%"


def test_tokens_have_all_digits():
    assert tokens(1234567) == "1,234,567"
