"""The spend page's comparison with Anthropic's cost report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings

from batches import clock
from batches.models import CostReport, Workspace
from batches.reports.fetch import EVERY
from batches.reports.reconcile import (
    HALF_CENT,
    ComparedTotal,
    Comparison,
    Day,
    GapReason,
    Skipped,
    UsageShare,
    WorkspaceDay,
    reconcile,
)
from batches.spend.figures import Figure
from dashboard.access import visible_workspaces
from dashboard.amount import Amount
from dashboard.spend.address import Selection
from dashboard.words import LEAST_COMPARED, less, percent_size, usd

# By then two fetches have been missed.
STALE_AFTER = 3 * EVERY
# The text after the number of batches.
KIND_WORDS = {
    "off_tier": "with requests that did not run at the batch tier, "
    "which Anthropic may price or list differently",
    "advisor": "with advisors’ tokens, which Anthropic may price or list differently",
    "compaction": "with compactions’ tokens, which Anthropic may price or list differently",
    "unknown_fields": "with usage fields that Batchboard does not know; they may change the price",
    "running": "still running",
    "unread": "not read yet",
    "unreadable": "unreadable",
    "lost": "with results that expired before they were read",
    "unpriced": "unpriced: the model has no price",
    "odd": "with results that can’t be understood",
    "past_midnight": "ran past midnight UTC; Anthropic may count {it} a day later",
    "later": "ended after the time of Anthropic’s data",
}
# One request may count more than once for these kinds (`explain.count_usage`).
AT_MOST = {"advisor", "compaction"}
SKIPPED = {
    "elsewhere": "uses a different base URL than Anthropic’s cost report",
    "unknown": "has not synced yet",
    "shared": "is the same Anthropic workspace as others here, not all of which you may see",
}


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One row of the table: a day, or one of its workspaces below it."""

    figures: Day | WorkspaceDay
    # Empty for a day.
    workspace: str
    explanation: tuple[str, ...]
    # Batchboard's figure, rounded as elsewhere on the page; None if it is nowhere else.
    shown: Decimal | None = None

    @property
    def computed(self) -> Decimal:
        return self.figures.computed if self.shown is None else self.shown

    @property
    def reported(self) -> Decimal | None:
        return self.figures.reported

    @property
    def gap(self) -> Decimal | None:
        return self.figures.gap

    @property
    def has_gap(self) -> bool:
        return self.figures.has_gap


def as_on_page(report: dict[str, Any] | None, days: Mapping[date, Amount]) -> None:
    """Let the report's days have the amounts that the page's other tables show for them.

    Only days on which Batchboard's figure is the page's, whatever the filters.
    """
    if report is None or report["comparison"] is None:
        return
    report["days"] = [[_on_page(rows[0], days), *rows[1:]] for rows in report["days"]]
    report["even_days"] = [_on_page(row, days) for row in report["even_days"]]


def _on_page(row: ComparedRow, days: Mapping[date, Amount]) -> ComparedRow:
    amount = days.get(row.figures.day)
    is_same = amount is not None and amount.exact == row.figures.computed
    return replace(row, shown=amount.shown) if amount and is_same else row


def report_context(
    workspaces: Iterable[Workspace], since: date, until: date, user: Any
) -> dict[str, Any] | None:
    """What `spend/_report.html` shows for a period, both days included; None without an Admin key.

    `workspaces` are those that the page's filter selects; those that the person may not see are
    ignored.
    """
    if not settings.ANTHROPIC_ADMIN_KEY:
        return None
    state = CostReport.objects.the_one()
    visible = set(visible_workspaces(user).values_list("pk", flat=True))
    wanted = {workspace.pk for workspace in workspaces} & visible
    comparison = reconcile(
        state,
        wanted,
        since,
        until,
        visible=visible,
        # Only superusers see other teams' workspaces, and only without a filter.
        with_unmirrored=user.is_superuser and wanted == visible,
    )
    return {"state": state, "is_stale": _is_stale(state)} | _comparison_context(comparison, since)


@dataclass(frozen=True, slots=True)
class ReportTile:
    """Anthropic's report in a few words, at the top of the page."""

    # Such as "$527.13", or why there is no figure.
    figure: str
    # Such as "+$15.57 (3.0%)"; empty without a figure.
    difference: str = ""
    # Batchboard's figure for the same days and workspaces; None if it is the page's total.
    computed: Decimal | None = None
    # The last day, if it is not the period's last day.
    until: date | None = None

    @property
    def is_known(self) -> bool:
        return bool(self.difference)


def report_tile(
    report: dict[str, Any] | None, selection: Selection, total: Figure
) -> ReportTile | None:
    """None without an Admin key. `total` is Batchboard's figure for the page's period."""
    if report is None:
        return None
    comparison: Comparison | None = report["comparison"]
    if selection.has_more_filters:
        return ReportTile("not compared")
    if comparison is None or not report["reported_days"]:
        return ReportTile("not yet")
    compared, period = comparison.total, selection.period
    is_complete = (
        comparison.since == period.since
        and comparison.as_of > period.until
        and not comparison.skipped
    )
    return ReportTile(
        usd(compared.reported),
        _difference(compared, with_percent=is_complete and total.is_whole),
        compared.computed if _differ(compared.computed, total.known) else None,
        comparison.as_of if comparison.as_of < period.until else None,
    )


def _difference(compared: ComparedTotal, *, with_percent: bool) -> str:
    if compared.reported is None or compared.gap is None or not compared.has_gap:
        return "none"
    words = less(compared.reported, compared.computed)
    words = words if compared.gap < 0 else f"+{words}"
    if not with_percent or compared.computed < LEAST_COMPARED:
        return words
    return f"{words} ({percent_size(100 * compared.gap / compared.computed)})"


def _differ(amount: Decimal, other: Decimal) -> bool:
    return abs(amount - other) >= HALF_CENT


def _is_stale(state: CostReport) -> bool:
    return bool(state.fetched_at and clock.now() - state.fetched_at > STALE_AFTER)


def _comparison_context(comparison: Comparison | None, since: date) -> dict[str, Any]:
    if comparison is None:
        return {"comparison": None}
    reported = [day for day in comparison.days if day.reported is not None]
    differing = [day for day in comparison.days if day.reported is None or day.has_gap]
    is_split = len({line.pair for day in comparison.days for line in day.lines}) > 1
    return {
        "comparison": comparison,
        "total": comparison.total,
        "explanation": _explanation(comparison.total.reasons),
        "days": [_compared_rows(day, is_split=is_split) for day in differing],
        "even_days": [ComparedRow(day, "", ()) for day in reported if not day.has_gap],
        "reported_days": reported,
        "starts_later": comparison.since if comparison.since > since else None,
        "skipped": [_skipped(each) for each in comparison.skipped],
    }


def _compared_rows(day: Day, *, is_split: bool) -> list[ComparedRow]:
    """The day and, if there are several workspaces, those that differ."""
    if not is_split:
        return [ComparedRow(day, "", _explanation(day.reasons) if day.has_gap else ())]
    differing = [line for line in day.lines if line.has_gap]
    parts = [ComparedRow(line, line.pair.name, _explanation(line.reasons)) for line in differing]
    return [ComparedRow(day, "", ()), *parts]


def _explanation(reasons: Iterable[GapReason]) -> tuple[str, ...]:
    words = tuple(_reason_text(reason) for reason in reasons)
    return words or ("Batchboard found no explanation.",)


def _reason_text(reason: GapReason) -> str:
    requests = f"{reason.requests:,} request{'' if reason.requests == 1 else 's'}"
    if reason.kind != "not_mirrored":
        count, it = reason.batches, "it" if reason.batches == 1 else "them"
        words = KIND_WORDS[reason.kind].format(it=it)
        at_most = "up to " if reason.kind in AT_MOST else ""
        share = f"; {_share(reason.share)}" if reason.share else ""
        return f"{count:,} batch{'' if count == 1 else 'es'} {words} ({at_most}{requests}{share})"
    if reason.requests:
        return f"not mirrored: {requests} more than Batchboard knows"
    return "not mirrored: Batchboard knows no batch of that day"


def _share(share: UsageShare) -> str:
    if not share.has_unpriced:
        return f"{usd(share.amount)} in Batchboard’s figure"
    if not share.amount:
        return "not in Batchboard’s figure"
    return f"{usd(share.amount)} in Batchboard’s figure, the rest has no price"


def _skipped(each: Skipped) -> str:
    return f"{each.workspace.name} {SKIPPED[each.why]}."
