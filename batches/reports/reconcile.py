"""Compares Batchboard's figures with Anthropic's cost report: the gap, and what may explain it.

Batchboard counts a batch on the UTC day on which it was created. Anthropic doesn't document which
day its cost report uses; for a batch that ran past midnight it may be the next day.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from typing import Literal, NamedTuple

from django.conf import settings

from batches.models import BatchUsage, CostReport, ReportedCost, Workspace
from batches.models.usage import PRICED_BY
from batches.pricing import EXACT, ZERO
from batches.reports.explain import (
    USAGE_KINDS,
    At,
    BatchCount,
    DayCounts,
    count_batches,
    count_usage,
)
from batches.spend.summing import PricedUsage, sum_usage

# Less than this is rounding.
HALF_CENT = Decimal("0.005")
# Reasons that may also make Anthropic's figure the smaller one.
EITHER_WAY = ("past_midnight", "later")

type Why = Literal["elsewhere", "unknown", "shared"]


class Reported(NamedTuple):
    """One day and workspace in Anthropic's cost report: USD, and requests where it has them."""

    amount: Decimal
    requests: int | None


NOTHING = Reported(ZERO, 0)


class UsageShare(NamedTuple):
    """USD of the computed figure for one kind of usage, and whether some usage has no price."""

    amount: Decimal
    has_unpriced: bool = False

    def plus(self, other: "UsageShare") -> "UsageShare":
        return UsageShare(self.amount + other.amount, self.has_unpriced or other.has_unpriced)


NO_SHARE = UsageShare(ZERO)


class GapReason(NamedTuple):
    """How many batches, and how many of their requests, may account for a part of a gap.

    `kind` is one that `explain.count_usage` or `explain.count_batches` counts, or `not_mirrored`,
    with 0 batches because their number isn't known. `share` is None unless the kind is one of
    `explain.USAGE_KINDS`.
    """

    kind: str
    batches: int
    requests: int
    share: UsageShare | None = None

    def plus(self, other: "GapReason") -> "GapReason":
        share = self.share and self.share.plus(other.share or NO_SHARE)
        batches, requests = self.batches + other.batches, self.requests + other.requests
        return GapReason(self.kind, batches, requests, share)


@dataclass(slots=True)
class Computed:
    """One day and workspace as Batchboard computes it: USD, and usage that may explain a gap."""

    amount: Decimal = ZERO
    shares: dict[str, UsageShare] = field(default_factory=dict)
    # Models without a price whose usage is of no kind in USAGE_KINDS.
    unpriced: set[str] = field(default_factory=set)

    def add(self, usage: PricedUsage) -> None:
        share = UsageShare(usage.cost, has_unpriced=usage.rates is None)
        self.amount += share.amount
        kinds = [kind for kind, each in USAGE_KINDS.items() if each.holds(usage.by)]
        for kind in kinds:
            self.shares[kind] = self.shares.get(kind, NO_SHARE).plus(share)
        if usage.rates is None and not kinds:
            self.unpriced.add(usage.by["model"])


@dataclass(frozen=True, slots=True)
class Pair:
    """One of Anthropic's workspaces, and those in Batchboard that mirror it: one for each key."""

    api_workspace_id: str
    workspaces: tuple[Workspace, ...]
    name: str


@dataclass(frozen=True, slots=True)
class WorkspaceDay:
    """One of Anthropic's workspaces on one UTC day, in USD.

    `computed` is Batchboard's figure, `reported` Anthropic's: None where the cost report doesn't
    have the day yet.
    """

    day: date
    pair: Pair
    computed: Decimal
    reported: Decimal | None
    reasons: tuple[GapReason, ...] = ()

    @property
    def gap(self) -> Decimal | None:
        """Reported minus computed: negative where Batchboard's figure is the larger one."""
        return None if self.reported is None else self.reported - self.computed

    @property
    def has_gap(self) -> bool:
        return self.gap is not None and abs(self.gap) >= HALF_CENT

    @property
    def is_computed_larger(self) -> bool:
        return self.gap is not None and self.gap < 0


@dataclass(frozen=True, slots=True)
class ComparedTotal:
    """The sums of several lines."""

    lines: tuple[WorkspaceDay, ...]

    @property
    def computed(self) -> Decimal:
        return sum((line.computed for line in self.lines), ZERO)

    @property
    def reported(self) -> Decimal | None:
        known = [line.reported for line in self.lines if line.reported is not None]
        return sum(known, ZERO) if len(known) == len(self.lines) else None

    @property
    def gap(self) -> Decimal | None:
        return None if self.reported is None else self.reported - self.computed

    @property
    def has_gap(self) -> bool:
        """Whether any line has a gap, even if the gaps cancel out."""
        return any(line.has_gap for line in self.lines)

    @property
    def reasons(self) -> tuple[GapReason, ...]:
        """Each kind once, over all lines that have a gap, with the kinds of usage first."""
        sums: dict[str, GapReason] = {}
        for each in (reason for line in self.lines for reason in line.reasons):
            sums[each.kind] = sums[each.kind].plus(each) if each.kind in sums else each
        return tuple(sorted(sums.values(), key=lambda reason: reason.kind not in USAGE_KINDS))


@dataclass(frozen=True, slots=True)
class Day(ComparedTotal):
    """One UTC day of every compared workspace."""

    day: date


class Skipped(NamedTuple):
    """A workspace in Batchboard that cannot be compared.

    `elsewhere`: its address is not the one that the cost report comes from. `unknown`: it has not
    synced yet. `shared`: the cost report counts it together with another workspace that the
    person may not see.
    """

    workspace: Workspace
    why: Why


@dataclass(frozen=True, slots=True)
class Comparison:
    """The days from `since` to `until` that have a figure, newest first.

    Anthropic's figures end on the day `as_of`, of which they may have a part only.
    """

    since: date
    until: date
    as_of: date
    days: tuple[Day, ...]
    skipped: tuple[Skipped, ...]

    @property
    def total(self) -> ComparedTotal:
        """All days that Anthropic's cost report already has."""
        return ComparedTotal(
            tuple(line for day in self.days if day.reported is not None for line in day.lines)
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
    """Compare the workspaces with the primary keys `wanted` from `since` to `until`.

    `visible` are the primary keys of all workspaces that the person may see. No figure includes
    others, except that `with_unmirrored` adds Anthropic's workspaces that Batchboard doesn't
    mirror. None where the cost report covers no day of the period.
    """
    if report.fetched_at is None or report.covers_since is None:
        return None
    since = max(since, report.covers_since)
    as_of = _day(min(report.refreshed_at or report.fetched_at, report.fetched_at))
    if since > until or since > as_of:
        return None
    reported = _reported(since, min(until, as_of))
    pairs, skipped = _pair(report, wanted, visible, {each for _, each in reported})
    if with_unmirrored:
        pairs += _unmirrored(report, pairs, reported)
    computed = _computed(pairs, since, until)
    paired = {pair.api_workspace_id: pair for pair in pairs}
    lines = [
        WorkspaceDay(
            day,
            paired[api_id],
            computed.get((day, api_id), Computed()).amount,
            reported.get((day, api_id), NOTHING).amount if day <= as_of else None,
        )
        for day, api_id in dict.fromkeys([*computed, *reported])
        if api_id in paired
    ]
    lines = _explained(lines, computed, reported, report.refreshed_at)
    return Comparison(since, until, as_of, _by_day(lines), tuple(skipped))


def _reported(since: date, until: date) -> dict[At, Reported]:
    rows = ReportedCost.objects.filter(day__range=(since, until)).values_list(
        "day", "api_workspace_id", "amount", "requests"
    )
    return {(day, api_id): Reported(amount, requests) for day, api_id, amount, requests in rows}


def _pair(
    report: CostReport, wanted: Collection[int], visible: Collection[int], reported: set[str]
) -> tuple[list[Pair], list[Skipped]]:
    # The cost report doesn't separate the keys of one workspace.
    by_api_id: dict[str, list[Workspace]] = defaultdict(list)
    skipped: list[Skipped] = []
    for workspace in Workspace.objects.for_pages():
        api_id = _reported_as(workspace, report, reported)
        if api_id is not None:
            by_api_id[api_id].append(workspace)
        elif workspace.pk in wanted:
            why: Why = "elsewhere" if _is_elsewhere(workspace) else "unknown"
            skipped.append(Skipped(workspace, why))
    pairs = []
    for api_id, workspaces in by_api_id.items():
        chosen = [each for each in workspaces if each.pk in wanted]
        if chosen and all(each.pk in visible for each in workspaces):
            names = ", ".join(each.name for each in workspaces)
            pairs.append(Pair(api_id, tuple(workspaces), names))
        else:
            skipped += [Skipped(each, "shared") for each in chosen]
    return pairs, skipped


def _reported_as(workspace: Workspace, report: CostReport, reported: set[str]) -> str | None:
    """The workspace's ID in Anthropic's cost report, None where it isn't known.

    The report has the default workspace without an ID, and the organization doesn't list it. So
    a synced workspace counts as the default one if it has no ID, or one that isn't listed.
    """
    if _is_elsewhere(workspace) or workspace.last_synced_at is None:
        return None
    api_id = workspace.api_workspace_id
    listed = report.workspace_names
    return "" if listed and api_id not in listed and api_id not in reported else api_id


def _is_elsewhere(workspace: Workspace) -> bool:
    return workspace.base_url.rstrip("/") != settings.ANTHROPIC_BASE_URL.rstrip("/")


def _unmirrored(report: CostReport, pairs: Sequence[Pair], reported: Iterable[At]) -> list[Pair]:
    known = {pair.api_workspace_id for pair in pairs}
    names = report.workspace_names | {"": "Default workspace"}
    others = sorted({api_id for _, api_id in reported} - known)
    return [Pair(api_id, (), names.get(api_id) or api_id) for api_id in others]


def _computed(pairs: Sequence[Pair], since: date, until: date) -> dict[At, Computed]:
    """What batches cost whose results have been read."""
    api_ids = _api_ids(pairs)
    usage = BatchUsage.objects.filter(workspace__in=list(api_ids), day__range=(since, until))
    if any(workspace.has_twins for pair in pairs for workspace in pair.workspaces):
        # Two keys of one workspace list the same batches.
        usage = usage.exclude(batch__twin_of__in=list(api_ids))
    computed: dict[At, Computed] = defaultdict(Computed)
    with localcontext(EXACT):
        for row in sum_usage(usage, ("workspace_id", "day", *PRICED_BY, "part")):
            computed[row.by["day"], api_ids[row.by["workspace_id"]]].add(row)
    return computed


def _api_ids(pairs: Iterable[Pair]) -> dict[int, str]:
    return {each.pk: pair.api_workspace_id for pair in pairs for each in pair.workspaces}


def _explained(
    lines: Sequence[WorkspaceDay],
    computed: Mapping[At, Computed],
    reported: Mapping[At, Reported],
    refreshed_at: datetime | None,
) -> list[WorkspaceDay]:
    """The lines, with what may explain their gaps."""
    gaps = {(line.day, line.pair.api_workspace_id): line for line in lines if line.has_gap}
    if not gaps:
        return list(lines)
    api_ids = _api_ids(line.pair for line in gaps.values())
    days = sorted({day for day, _ in gaps})
    counted = count_batches(api_ids, days, refreshed_at)
    own = {at: computed.get(at, Computed()) for at in gaps}
    models = set[str]().union(*(each.unpriced for each in own.values()))
    needs_usage = models or any(each.shares for each in own.values())
    usage = count_usage(api_ids, days, models) if needs_usage else {}
    for at, line in gaps.items():
        counts = counted.get(at, DayCounts())
        kinds = usage.get(at, {}) | counts.kinds
        if not own[at].unpriced:
            # The models may have a price on this day.
            kinds.pop("unpriced", None)
        reasons = _reasons(line, kinds, own[at].shares)
        reasons += _not_mirrored(line, counts, reported.get(at, NOTHING).requests)
        gaps[at] = WorkspaceDay(line.day, line.pair, line.computed, line.reported, reasons)
    return [gaps.get((line.day, line.pair.api_workspace_id), line) for line in lines]


def _reasons(
    line: WorkspaceDay, kinds: Mapping[str, BatchCount], shares: Mapping[str, UsageShare]
) -> tuple[GapReason, ...]:
    return tuple(
        GapReason(kind, *counts, shares.get(kind))
        for kind, counts in kinds.items()
        if counts.batches
        # What the computed figure doesn't include can't make it the larger one.
        and (not line.is_computed_larger or kind in EITHER_WAY or shares.get(kind, NO_SHARE).amount)
    )


def _not_mirrored(
    line: WorkspaceDay, counts: DayCounts, requests: int | None
) -> tuple[GapReason, ...]:
    beyond = (requests or 0) - counts.requests
    if line.is_computed_larger or (beyond <= 0 and counts.batches):
        return ()
    return (GapReason("not_mirrored", 0, max(beyond, 0)),)


def _by_day(lines: Iterable[WorkspaceDay]) -> tuple[Day, ...]:
    days: dict[date, list[WorkspaceDay]] = defaultdict(list)
    for line in lines:
        if line.computed or line.reported:
            days[line.day].append(line)
    return tuple(
        Day(tuple(sorted(days[day], key=lambda line: line.pair.name)), day)
        for day in sorted(days, reverse=True)
    )


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
