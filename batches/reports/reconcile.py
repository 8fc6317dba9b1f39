"""The vendor's report beside our own figures: ours, theirs, the gap, and what may explain it.

Ours fall on the UTC day on which a batch was created. Which moment the report goes by is not
documented: it may count a batch that ran past midnight on the neighbouring day.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from django.conf import settings
from django.db.models import Sum

from batches.models import BatchUsage, CostReport, ReportedCost, Workspace
from batches.models.usage import PRICED_BY, TOKEN_CLASSES
from batches.reports.explain import Counted, Seen, count_batches, count_unpriced
from batches.spend import costs

ZERO = Decimal(0)
# Less than this is rounding.
HALF_CENT = Decimal("0.005")
BILLED = (*TOKEN_CLASSES, "web_searches")
# What can't make the report's figure the smaller one explains no such gap.
EITHER_WAY = ("past_midnight", "later")

type Why = Literal["elsewhere", "unknown", "shared"]


# A UTC day, and the id of a workspace of theirs.
type At = tuple[date, str]


class Told(NamedTuple):
    """What the report has of one day and workspace: USD, and requests where it says."""

    amount: Decimal
    requests: int | None


NOTHING = Told(ZERO, 0)


class Reason(NamedTuple):
    """So many batches, with so many requests, may account for a part of a gap.

    `kind` is `not_mirrored`, where batches are 0 as nobody knows how many, or one of
    `explain.KINDS`.
    """

    kind: str
    batches: int
    requests: int


@dataclass(frozen=True, slots=True)
class Pair:
    """One workspace of theirs, and ours that are the same: none, one, or a key each."""

    api_workspace_id: str
    workspaces: tuple[Workspace, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Line:
    """One workspace of theirs on one UTC day, in USD. `theirs` is None where it is not told yet."""

    day: date
    pair: Pair
    ours: Decimal
    theirs: Decimal | None
    reasons: tuple[Reason, ...] = ()

    @property
    def gap(self) -> Decimal | None:
        """What the report has and we have not; negative the other way round."""
        return None if self.theirs is None else self.theirs - self.ours

    @property
    def has_gap(self) -> bool:
        return self.gap is not None and abs(self.gap) >= HALF_CENT


@dataclass(frozen=True, slots=True)
class Sums:
    """Lines added up: of one day, or of all days that the report tells of."""

    lines: tuple[Line, ...]

    @property
    def ours(self) -> Decimal:
        return sum((line.ours for line in self.lines), ZERO)

    @property
    def theirs(self) -> Decimal | None:
        told = [line.theirs for line in self.lines if line.theirs is not None]
        return sum(told, ZERO) if len(told) == len(self.lines) else None

    @property
    def gap(self) -> Decimal | None:
        return None if self.theirs is None else self.theirs - self.ours

    @property
    def has_gap(self) -> bool:
        """Whether any of the lines has one: two that cancel out are two all the same."""
        return any(line.has_gap for line in self.lines)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Each kind once, over all lines that have a gap."""
        sums: dict[str, tuple[int, int]] = {}
        for kind, batches, requests in (each for line in self.lines for each in line.reasons):
            before = sums.get(kind, (0, 0))
            sums[kind] = (before[0] + batches, before[1] + requests)
        return tuple(Reason(kind, *counts) for kind, counts in sums.items())


@dataclass(frozen=True, slots=True)
class Day(Sums):
    """One UTC day of every workspace that is compared."""

    day: date


class LeftOut(NamedTuple):
    """A workspace of ours that cannot be compared: `elsewhere` is another address than the
    report's, `unknown` one that has not been heard from, and `shared` one that the report counts
    together with another that the viewer may not see.
    """

    workspace: Workspace
    why: Why


@dataclass(frozen=True, slots=True)
class Comparison:
    """The days from `since` to `until` that have any figure, newest first."""

    since: date
    until: date
    days: tuple[Day, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def total(self) -> Sums:
        """Of the days that the report tells of already."""
        return Sums(
            tuple(line for day in self.days if day.theirs is not None for line in day.lines)
        )


def reconcile(
    report: CostReport,
    wanted: Collection[int],
    since: date,
    until: date,
    *,
    visible: Collection[int],
    with_unmirrored: bool = False,
) -> Comparison | None:
    """Compare a period, both days included, for the workspaces with these primary keys.

    `visible` are all that the viewer may see: no figure tells anything of others, unless
    `with_unmirrored` adds what the report has of workspaces that are not ours. None where the
    report covers no day of the period.
    """
    if report.fetched_at is None or report.covers_since is None:
        return None
    since = max(since, report.covers_since)
    as_of = _day(min(report.refreshed_at or report.fetched_at, report.fetched_at))
    if since > until or since > as_of:
        return None
    theirs = _theirs(since, min(until, as_of))
    pairs, left_out = _pair(report, wanted, visible, {each for _, each in theirs})
    if with_unmirrored:
        pairs += _unmirrored(report, pairs, theirs)
    ours, unpriced = _ours(pairs, since, until)
    paired = {pair.api_workspace_id: pair for pair in pairs}
    lines = [
        Line(
            day,
            paired[named],
            ours.get((day, named), ZERO),
            theirs.get((day, named), NOTHING).amount if day <= as_of else None,
        )
        for day, named in dict.fromkeys([*ours, *theirs])
        if named in paired
    ]
    lines = _explained(lines, theirs, unpriced, report.refreshed_at)
    return Comparison(since, until, _by_day(lines), tuple(left_out))


def _theirs(since: date, until: date) -> dict[At, Told]:
    rows = ReportedCost.objects.filter(day__range=(since, until)).values_list(
        "day", "api_workspace_id", "amount", "requests"
    )
    return {(day, named): Told(amount, requests) for day, named, amount, requests in rows}


def _pair(
    report: CostReport, wanted: Collection[int], visible: Collection[int], reported: set[str]
) -> tuple[list[Pair], list[LeftOut]]:
    """Two of ours with one id are one pair, as the report can't tell their keys apart."""
    same: dict[str, list[Workspace]] = defaultdict(list)
    left_out: list[LeftOut] = []
    for workspace in Workspace.objects.for_pages():
        named = _reported_as(workspace, report, reported)
        if named is not None:
            same[named].append(workspace)
        elif workspace.pk in wanted:
            why: Why = "elsewhere" if _is_elsewhere(workspace) else "unknown"
            left_out.append(LeftOut(workspace, why))
    pairs = []
    for named, ours in same.items():
        asked_for = [each for each in ours if each.pk in wanted]
        if asked_for and all(each.pk in visible for each in ours):
            pairs.append(Pair(named, tuple(ours), ", ".join(each.name for each in ours)))
        else:
            left_out += [LeftOut(each, "shared") for each in asked_for]
    return pairs, left_out


def _reported_as(workspace: Workspace, report: CostReport, reported: set[str]) -> str | None:
    """What the report calls the workspace, None where that is not known.

    The default workspace is neither listed nor named by the report. One that has been heard from
    without a name, or whose name the organisation does not list, is taken for it.
    """
    if _is_elsewhere(workspace) or workspace.last_synced_at is None:
        return None
    named = workspace.api_workspace_id
    listed = report.workspace_names
    return "" if listed and named not in listed and named not in reported else named


def _is_elsewhere(workspace: Workspace) -> bool:
    return workspace.base_url.rstrip("/") != settings.ANTHROPIC_BASE_URL.rstrip("/")


def _unmirrored(report: CostReport, pairs: Sequence[Pair], theirs: Iterable[At]) -> list[Pair]:
    known = {pair.api_workspace_id for pair in pairs}
    names = report.workspace_names | {"": "Default workspace"}
    others = sorted({named for _, named in theirs} - known)
    return [Pair(named, (), names.get(named) or named) for named in others]


def _ours(
    pairs: Sequence[Pair], since: date, until: date
) -> tuple[dict[At, Decimal], dict[At, set[str]]]:
    """What read batches cost, and the models among them that have no price."""
    named = _named(pairs)
    usage = BatchUsage.objects.filter(workspace__in=list(named), day__range=(since, until))
    if any(workspace.has_twins for pair in pairs for workspace in pair.workspaces):
        # Two keys of one Anthropic workspace list the same batches.
        usage = usage.exclude(batch__twin_of__in=list(named))
    amounts: dict[At, Decimal] = defaultdict(Decimal)
    unpriced: dict[At, set[str]] = defaultdict(set)
    groups = usage.values_list("workspace_id", "day", *PRICED_BY)
    for pk, day, *rest in groups.annotate(**{f"sum_of_{name}": Sum(name) for name in BILLED}):
        by, sums = rest[: len(PRICED_BY)], rest[len(PRICED_BY) :]
        row = BatchUsage(
            day=day,
            **dict(zip(PRICED_BY, by, strict=True)),
            # PostgreSQL sums big integers to decimals.
            **dict(zip(BILLED, map(int, sums), strict=True)),
        )
        cost = costs.price(row)
        if cost is None:
            unpriced[day, named[pk]].add(row.model)
        else:
            amounts[day, named[pk]] += cost.total
    return amounts, unpriced


def _named(pairs: Iterable[Pair]) -> dict[int, str]:
    return {each.pk: pair.api_workspace_id for pair in pairs for each in pair.workspaces}


def _explained(
    lines: Sequence[Line],
    theirs: Mapping[At, Told],
    unpriced: Mapping[At, set[str]],
    refreshed_at: datetime | None,
) -> list[Line]:
    """The lines, those with a gap with what is known of their batches."""
    gaps = {(line.day, line.pair.api_workspace_id): line for line in lines if line.has_gap}
    if not gaps:
        return list(lines)
    named = _named(line.pair for line in gaps.values())
    days = sorted({day for day, _ in gaps})
    counted = count_batches(named, days, refreshed_at)
    models = set[str]().union(*(unpriced.get(at, ()) for at in gaps))
    without_price = count_unpriced(named, days, models) if models else {}
    for at, line in gaps.items():
        seen = counted.get(at, Counted())
        if unpriced.get(at):
            seen.kinds["unpriced"] = without_price.get(at, Seen(0, 0))
        reasons = _reasons(line, seen, theirs.get(at, NOTHING).requests)
        gaps[at] = Line(line.day, line.pair, line.ours, line.theirs, reasons)
    return [gaps.get((line.day, line.pair.api_workspace_id), line) for line in lines]


def _reasons(line: Line, seen: Counted, requests: int | None) -> tuple[Reason, ...]:
    is_ours_larger = line.gap is not None and line.gap < 0
    reasons = [
        Reason(kind, *counts)
        for kind, counts in seen.kinds.items()
        if counts.batches and (kind in EITHER_WAY or not is_ours_larger)
    ]
    beyond = (requests or 0) - seen.requests
    if not is_ours_larger and (beyond > 0 or not seen.batches):
        reasons.append(Reason("not_mirrored", 0, max(beyond, 0)))
    return tuple(reasons)


def _by_day(lines: Iterable[Line]) -> tuple[Day, ...]:
    days: dict[date, list[Line]] = defaultdict(list)
    for line in lines:
        if line.ours or line.theirs:
            days[line.day].append(line)
    return tuple(
        Day(tuple(sorted(days[day], key=lambda line: line.pair.name)), day)
        for day in sorted(days, reverse=True)
    )


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
