"""The geometry of a stack of bars, one a day, as SVG takes it: x in percent, y in pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil
from typing import NamedTuple

PLOT = 180
# Above the highest tick, and below the zero line for the days' names.
HEAD, FOOT = 10, 22
BASE = HEAD + PLOT
HEIGHT = BASE + FOOT
MOST_STEPS = 4
NICE = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
# A bar takes so much of its day's room, and no more than that of the chart.
FILLED, WIDEST = 0.78, 9.0
# A day that cost anything is seen, and so is the line between two segments that are high enough.
LOWEST, GAP, GAP_FROM = 2.0, 1.0, 4.0
# Up to so many days each has its name; up to so many the weeks; beyond, the months.
EACH_DAY, EACH_WEEK = 8, 45
WEEKS = (1, 8, 15, 22)
# Where in its room a day's name is held.
ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}


class Part(NamedTuple):
    """What one series cost on one day, in USD."""

    series: int
    amount: Decimal
    words: str
    href: str


class Column(NamedTuple):
    """One day, its parts from the bottom up."""

    day: date
    words: str
    href: str
    # More may come: the bar says so.
    is_open: bool
    parts: Sequence[Part]


class Room(NamedTuple):
    """Percent of the chart for a day and for its bar, and pixels for a dollar."""

    slot: float
    bar: float
    dollar: float


@dataclass(frozen=True, slots=True)
class Segment:
    part: Part
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Bar:
    column: Column
    # The whole of the day's room, then the bar in its middle.
    slot_x: str
    slot_width: str
    x: str
    width: str
    top: str
    segments: tuple[Segment, ...]
    # What stands under it: at its middle, and within the chart at both ends.
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
    # "days", "weeks" or "months": what has names along the foot.
    scale: str
    height: int = HEIGHT
    base: int = BASE
    plot: int = PLOT
    head: int = HEAD


def draw(columns: Sequence[Column]) -> Chart | None:
    """None when nothing cost anything."""
    highest = max((_sum(column.parts) for column in columns), default=Decimal(0))
    if not highest:
        return None
    step = nice_step(highest)
    steps = ceil(highest / step)
    names = day_names([column.day for column in columns])
    slot = 100 / len(columns)
    room = Room(slot, min(slot * FILLED, WIDEST), PLOT / float(step * steps))
    return Chart(
        bars=tuple(
            _bar(column, slot * n, room, names[column.day]) for n, column in enumerate(columns)
        ),
        ticks=tuple(
            Tick(_px(BASE - n * PLOT / steps), money_tick(n * step, step)) for n in range(steps + 1)
        ),
        scale=_scale(len(columns)),
    )


def _bar(column: Column, slot_x: float, room: Room, name: str) -> Bar:
    total = float(_sum(column.parts)) * room.dollar
    # Stretched, so that a cent beside a thousand dollars is no empty day.
    stretch = max(1.0, LOWEST / total) if total else 1.0
    segments, y = [], float(BASE)
    for part in column.parts:
        height = float(part.amount) * room.dollar * stretch
        y -= height
        gap = GAP if height >= GAP_FROM else 0.0
        segments.append(Segment(part, _px(y + gap), _px(height - gap)))
    anchor = _anchor(slot_x, room.slot)
    return Bar(
        column,
        slot_x=_percent(slot_x),
        slot_width=_percent(room.slot),
        x=_percent(slot_x + (room.slot - room.bar) / 2),
        width=_percent(room.bar),
        top=_px(y),
        segments=tuple(segments),
        name=name,
        name_x=_percent(slot_x + room.slot * ANCHORS[anchor]),
        anchor=anchor,
        starts_month=column.day.day == 1 and slot_x > 0,
    )


def _anchor(slot_x: float, slot: float) -> str:
    """Where a name is held: within the chart at its ends, unless the day has room enough."""
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
    """As many decimals as the step needs, but no cents without their second digit."""
    exponent = step.normalize().as_tuple().exponent
    decimals = max(0, -int(exponent))
    return f"${amount:,.{2 if decimals == 1 else decimals}f}" if amount else "$0"


def day_names(days: Sequence[date]) -> dict[date, str]:
    """What stands under each day, mostly nothing: there is room for a handful of words."""
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
    # The first names its month too, unless the next name is too near.
    room = {"days": 1, "weeks": len(days) // 4 + 1, "months": len(days) // 10}[scale]
    if not any(names[day] for day in days[1:room]):
        names[days[0]] = f"{days[0].day} {days[0]:%b}"
    return names


def _scale(days: int) -> str:
    if days <= EACH_DAY:
        return "days"
    return "weeks" if days <= EACH_WEEK else "months"


def _sum(parts: Iterable[Part]) -> Decimal:
    return sum((part.amount for part in parts), Decimal(0))


def _percent(value: float) -> str:
    return f"{value:.3f}%"


def _px(value: float) -> str:
    return f"{value:.1f}"
