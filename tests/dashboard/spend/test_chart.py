from datetime import date, timedelta
from decimal import Decimal

import pytest

from dashboard.spend.chart import (
    BASE,
    PLOT,
    Column,
    SeriesCost,
    day_names,
    draw,
    money_tick,
    nice_step,
)

FIRST = date(2026, 11, 1)


def column(day: date, *amounts: str, is_open: bool = False) -> Column:
    costs = [SeriesCost(str(n), Decimal(amount)) for n, amount in enumerate(amounts, start=1)]
    return Column(day, "", "", is_open, costs)


def chart(*stacks: tuple[str, ...]):
    days = [FIRST + timedelta(days=n) for n in range(len(stacks))]
    return draw([column(day, *amounts) for day, amounts in zip(days, stacks, strict=True)])


def test_segments_are_stacked_up_to_the_cost_of_the_day():
    [bar] = chart(("60", "40")).bars

    heights = [(float(each.y), float(each.height)) for each in bar.segments]
    # The highest tick is $100: 60% and 40% of the plot, one pixel apart.
    assert heights == [
        (pytest.approx(BASE - 0.6 * PLOT + 1), pytest.approx(0.6 * PLOT - 1)),
        (pytest.approx(BASE - PLOT + 1), pytest.approx(0.4 * PLOT - 1)),
    ]
    assert float(bar.top) == pytest.approx(BASE - PLOT)


def test_no_bar_exceeds_the_plot_and_every_day_with_a_cost_has_one():
    full, tiny, empty = chart(("3390.17",), ("0.01",), ()).bars

    assert BASE - PLOT <= float(full.segments[0].y) < BASE
    assert float(tiny.segments[0].height) == 2.0
    assert empty.segments == ()


def test_days_share_the_width_in_order():
    bars = chart(*[("1",)] * 4).bars

    assert [bar.slot_x for bar in bars] == ["0.000%", "25.000%", "50.000%", "75.000%"]


def test_nothing_to_draw_is_no_chart():
    assert chart((), ()) is None
    assert draw([]) is None


@pytest.mark.parametrize(
    ("highest", "words"),
    [
        ("3390.17", ["$0", "$1,000", "$2,000", "$3,000", "$4,000"]),
        ("10", ["$0", "$2.50", "$5.00", "$7.50", "$10.00"]),
        ("0.0371", ["$0", "$0.01", "$0.02", "$0.03", "$0.04"]),
        ("100", ["$0", "$25", "$50", "$75", "$100"]),
        ("0.3", ["$0", "$0.10", "$0.20", "$0.30"]),
    ],
)
def test_ticks_are_round_amounts(highest, words):
    assert [tick.words for tick in chart((highest,)).ticks] == words


@pytest.mark.parametrize("highest", ["0.000001", "0.7", "1", "9.99", "123456789.12"])
def test_a_few_steps_reach_the_highest(highest):
    step = nice_step(Decimal(highest))

    assert 4 * step >= Decimal(highest) > step
    assert money_tick(step, step) != "$0.00"


@pytest.mark.parametrize(
    ("since", "days", "names"),
    [
        (date(2026, 11, 18), 7, ["18 Nov", "19", "20", "21", "22", "23", "24"]),
        (FIRST, 30, ["1 Nov", "8", "15", "22"]),
        (date(2026, 10, 26), 30, ["1 Nov", "8", "15", "22"]),
        (date(2026, 10, 20), 30, ["22", "1 Nov", "8", "15"]),
        (date(2026, 11, 15), 90, ["15 Nov", "Dec", "Jan 2027", "Feb"]),
    ],
)
def test_a_handful_of_days_and_each_month_are_named(since, days, names):
    found = day_names([since + timedelta(days=n) for n in range(days)])

    assert [name for name in found.values() if name] == names
