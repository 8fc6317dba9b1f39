from decimal import Decimal

import pytest

from dashboard.templatetags.money import exact_usd, percent_change, tokens, usd


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
def test_dollars_are_rounded_to_what_a_person_reads(amount, words):
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
def test_in_the_arithmetic_nothing_is_rounded(amount, words):
    assert exact_usd(None if amount is None else Decimal(amount)) == words


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        ("5", "4", "+25.0 %"),
        ("3.84", "4", "−4.0 %"),
        ("4", "4", "no change"),
        ("0", "4", "−100.0 %"),
        ("4", "0", "new"),
        ("0", "0", "no change"),
        ("50000", "4", "+1,249,900.0 %"),
        (None, "4", "unknown"),
        ("4", None, "unknown"),
    ],
)
def test_a_change_says_which_way_it_went(now, before, words):
    amounts = (None if amount is None else Decimal(amount) for amount in (now, before))

    assert percent_change(*amounts).replace("\xa0", " ") == words


def test_tokens_are_full_figures():
    assert tokens(1234567) == "1,234,567"
