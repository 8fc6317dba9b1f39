"""All kinds of work. A kind is a query for due rows and a function that works on one.

To add one, add it here with a `Claimable` model for its rows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from batches.cancel import attempt
from batches.mirror import sync
from batches.models import (
    Cancellation,
    Chore,
    Claimable,
    CostReport,
    Reading,
    Workspace,
)
from batches.models.claim import ClaimableQuerySet
from batches.reports import fetch
from batches.results import reading
from batches.turn import Turn
from batches.worker import chores


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of work. The rows of `due` have the primary keys of `model`."""

    name: str
    model: type[Claimable]
    due: Callable[[datetime], QuerySet[Any]]
    run: Callable[[Any, Turn], object]
    # The path from a row of `due` to its workspace; empty for work without a workspace.
    owner: str = ""
    # Loaded with the row in one query.
    related: tuple[str, ...] = ()
    # How many rows may run that began within SLOW_SECONDS, and how many in total.
    slots: int = 1
    most: int = 1
    # Seconds after which a running row counts as stuck: its claim is no longer renewed.
    longest: float = 24 * 3600.0

    @property
    def rows(self) -> ClaimableQuerySet[Any]:
        """All rows of the kind's table."""
        rows: ClaimableQuerySet[Any] = self.model._default_manager.all()  # type: ignore[assignment]
        return rows


def run_round(workspace: Workspace, turn: Turn) -> bool:
    return sync.sync_workspace(workspace, turn)


def run_attempt(cancellation: Cancellation, turn: Turn) -> None:
    turn.let_go()
    attempt(cancellation)


def run_reading(row: Reading, turn: Turn) -> None:
    reading.read_results(row, turn)


def run_report(report: CostReport, turn: Turn) -> None:
    turn.let_go()
    fetch.fetch_report(report)


def run_chore(chore: Chore, _turn: Turn) -> None:
    chores.run(chore)


# Cancellations come first.
KINDS = (
    Kind(
        "cancel",
        Cancellation,
        lambda now: Cancellation.objects.open().due(now).order_by("next_attempt_at", "id"),
        run_attempt,
        owner="batch__workspace",
        related=("batch__workspace",),
        slots=16,
        most=100,
        longest=120.0,
    ),
    Kind(
        "sync",
        Workspace,
        lambda now: Workspace.objects.due(now).order_by("next_attempt_at", "id"),
        run_round,
        owner="pk",
        slots=16,
        most=100,
    ),
    Kind(
        "results",
        Reading,
        reading.due_readings,
        run_reading,
        owner="workspace",
        related=("batch__workspace",),
        slots=4,
        most=32,
        longest=2 * reading.LONGEST_READING_SECONDS,
    ),
    Kind("report", CostReport, fetch.due_reports, run_report, longest=600.0),
    Kind("tidy", Chore, chores.due_chores, run_chore),
    # Separate from new results, because an upgrade can outdate thousands of batches at once.
    Kind(
        "reread",
        Reading,
        reading.due_rereadings,
        run_reading,
        owner="workspace",
        related=("batch__workspace",),
        most=4,
        longest=2 * reading.LONGEST_READING_SECONDS,
    ),
)
NAMES = tuple(kind.name for kind in KINDS)


def named_kinds(names: Iterable[str]) -> list[Kind]:
    """The kinds with these names, or all kinds. Raises KeyError for an unknown name."""
    by_name = {kind.name: kind for kind in KINDS}
    wanted = set(names) or set(by_name)
    if unknown := wanted - set(by_name):
        raise KeyError(min(unknown))
    return [kind for kind in KINDS if kind.name in wanted]
