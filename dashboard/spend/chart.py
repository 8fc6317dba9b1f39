"""The geometry of a stacked bar chart, one bar a day, for SVG: x in percent, y in pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil
from typing import NamedTuple

PLOT = 180
# Above the highest tick, and below the zero line, where the days' names are.
HEAD, FOOT = 10, 22
BASE = HEAD + PLOT
HEIGHT = BASE + FOOT
MOST_STEPS = 4
NICE = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
# The largest width of a bar: a fraction of its day's slot, and percent of the chart.
FILLED, WIDEST = 0.78, 9.0
# Pixels. The lowest bar of a day that cost anything, the gap between two segments, and the height
# from which a segment has one.
LOWEST, GAP, GAP_FROM = 2.0, 1.0, 4.0
# With up to EACH_DAY days, every day is named; up to EACH_WEEK, every week; beyond, every month.
EACH_DAY, EACH_WEEK = 8, 45
WEEKS = (1, 8, 15, 22)
# Where in its slot a day's name is anchored.
ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}


class SeriesCost(NamedTuple):
    """What one series cost on one day, in USD. `series` names its color and pattern."""

    series: str
    amount: Decimal


class Column(NamedTuple):
    """One day, its costs from the bottom up."""

    day: date
    words: str
    href: str
    # Its cost may still grow, and the bar shows that.
    is_open: bool
    costs: Sequence[SeriesCost]


class Sizes(NamedTuple):
    """Percent of the chart for a day's slot and for its bar, and pixels for a dollar."""

    slot: float
    bar: float
    dollar: float


@dataclass(frozen=True, slots=True)
class ChartSegment:
    cost: SeriesCost
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Bar:
    column: Column
    # The day's slot, then the bar in its middle.
    slot_x: str
    slot_width: str
    x: str
    width: str
    top: str
    segments: tuple[ChartSegment, ...]
    # The name under it, aligned so that the first and the last stay within the chart.
    name: str
    name_x: str
    anchor: str
    starts_month: bool


@dataclass(frozen=True, slots=True)
class Tick:
    y: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    # "days", "weeks" or "months": what is named along the foot.
    scale: str
    height: int = HEIGHT
    base: int = BASE
    plot: int = PLOT
    head: int = HEAD


def draw(columns: Sequence[Column]) -> Chart | None:
    """None if nothing cost anything."""
    highest = max((_total(column.costs) for column in columns), default=Decimal(0))
    if not highest:
        return None
    step = nice_step(highest)
    steps = ceil(highest / step)
    names = day_names([column.day for column in columns])
    slot = 100 / len(columns)
    sizes = Sizes(slot, min(slot * FILLED, WIDEST), PLOT / float(step * steps))
    return Chart(
        bars=tuple(
            _bar(column, slot * n, sizes, names[column.day]) for n, column in enumerate(columns)
        ),
        ticks=tuple(
            Tick(_px(BASE - n * PLOT / steps), money_tick(n * step, step)) for n in range(steps + 1)
        ),
        scale=_scale(len(columns)),
    )


def _bar(column: Column, slot_x: float, sizes: Sizes, name: str) -> Bar:
    total = float(_total(column.costs)) * sizes.dollar
    # Stretched, so that a day that cost a cent next to one that cost $1,000 is not shown as empty.
    stretch = max(1.0, LOWEST / total) if total else 1.0
    segments, y = [], float(BASE)
    for cost in column.costs:
        height = float(cost.amount) * sizes.dollar * stretch
        y -= height
        gap = GAP if height >= GAP_FROM else 0.0
        segments.append(ChartSegment(cost, _px(y + gap), _px(height - gap)))
    anchor = _anchor(slot_x, sizes.slot)
    return Bar(
        column,
        slot_x=_percent(slot_x),
        slot_width=_percent(sizes.slot),
        x=_percent(slot_x + (sizes.slot - sizes.bar) / 2),
        width=_percent(sizes.bar),
        top=_px(y),
        segments=tuple(segments),
        name=name,
        name_x=_percent(slot_x + sizes.slot * ANCHORS[anchor]),
        anchor=anchor,
        starts_month=column.day.day == 1 and slot_x > 0,
    )


def _anchor(slot_x: float, slot: float) -> str:
    """How a name is aligned: inside the chart at both ends, unless the slot is wide enough."""
    if slot * EACH_DAY >= 100:
        return "middle"
    if not slot_x:
        return "start"
    return "end" if slot_x + 1.5 * slot > 100 else "middle"


def nice_step(highest: Decimal) -> Decimal:
    """The smallest round amount that reaches the highest in at most MOST_STEPS steps."""
    least = highest / MOST_STEPS
    magnitude = Decimal(1).scaleb(least.adjusted())
    return next(nice * magnitude for nice in NICE if nice * magnitude >= least)


def money_tick(amount: Decimal, step: Decimal) -> str:
    """As many decimals as the step needs, but two for tenths of a dollar."""
    exponent = step.normalize().as_tuple().exponent
    decimals = max(0, -int(exponent))
    return f"${amount:,.{2 if decimals == 1 else decimals}f}" if amount else "$0"


def day_names(days: Sequence[date]) -> dict[date, str]:
    """The name under each day; most are empty, as only a handful fit."""
    scale = _scale(len(days))
    names = dict.fromkeys(days, "")
    for day in days:
        if scale == "months":
            if day.day == 1:
                names[day] = f"{day:%b}" if day.month > 1 else f"{day:%b %Y}"
        elif day.day == 1:
            names[day] = f"1 {day:%b}"
        elif scale == "days" or day.day in WEEKS:
            names[day] = str(day.day)
    # The first day is named with its month, unless the next name is too near.
    nearest = {"days": 1, "weeks": len(days) // 4 + 1, "months": len(days) // 10}[scale]
    if not any(names[day] for day in days[1:nearest]):
        names[days[0]] = f"{days[0].day} {days[0]:%b}"
    return names


def _scale(days: int) -> str:
    if days <= EACH_DAY:
        return "days"
    return "weeks" if days <= EACH_WEEK else "months"


def _total(costs: Iterable[SeriesCost]) -> Decimal:
    return sum((cost.amount for cost in costs), Decimal(0))


def _percent(value: float) -> str:
    return f"{value:.3f}%"


def _px(value: float) -> str:
    return f"{value:.1f}"
