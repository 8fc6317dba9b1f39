"""Sets up usage and Anthropic's cost report to compare, and reads the comparison."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from batches.models import Batch, BatchUsage, CostReport, ReportedCost, Workspace
from batches.reports.reconcile import WorkspaceDay, reconcile

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY, YESTERDAY = NOON.date(), NOON.date() - timedelta(days=1)
# The API has no results of longer ago.
DAYS = 28


def at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def only_line(comparison) -> WorkspaceDay:
    (day,) = [day for day in comparison.days if day.has_gap]
    (line,) = [line for line in day.lines if line.has_gap]
    return line


def reasons(line) -> list[tuple]:
    return [(each.kind, each.batches, each.requests) for each in line.reasons]


def shares(line) -> dict[str, tuple]:
    return {each.kind: tuple(each.share) for each in line.reasons if each.share}


def reported(workspace: Workspace, day: date, dollars: str, requests: int | None = None) -> None:
    """A row of Anthropic's cost report that the sandbox would not return."""
    CostReport.objects.update_or_create(
        pk=1,
        defaults={
            "fetched_at": NOON,
            "refreshed_at": NOON,
            "covers_since": date(2026, 9, 24),
            "workspace_names": {"wrkspc_1": "One", "wrkspc_2": "Two"},
        },
    )
    Workspace.objects.filter(pk=workspace.pk).update(
        api_workspace_id="wrkspc_1", last_synced_at=NOON
    )
    ReportedCost.objects.create(
        day=day, api_workspace_id="wrkspc_1", amount=Decimal(dollars), requests=requests
    )


def compared(*workspaces, since=TODAY - timedelta(days=9), until=TODAY, **options):
    keys = {workspace.pk for workspace in workspaces}
    return reconcile(CostReport.objects.get(), keys, since, until, visible=keys, **options)


def read(batch: Batch, dollars: int, **columns) -> None:
    """Usage that costs that many dollars at the batch tier."""
    usual = {"model": "claude-sonnet-5-5", "requests": batch.succeeded}
    BatchUsage.objects.create(
        batch=batch,
        workspace=batch.workspace,
        day=batch.created_at.date(),
        is_canceled=False,
        input_tokens=dollars * 1_000_000,
        **usual | columns,
    )
    Batch.objects.filter(pk=batch.pk).update(results_state="read")
