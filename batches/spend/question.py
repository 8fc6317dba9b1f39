"""Which batches a question about spend covers, and how their spend is grouped."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import Q, QuerySet

from batches.models import Batch, BatchQuerySet, BatchUsage
from batches.period import Period, end_of, start_of

type Group = Literal["workspace", "model", "label", "owner", "canceled"]
type Stack = Literal["model", "workspace"]

# The column of BatchUsage for each Group.
COLUMNS = {
    "workspace": "workspace_id",
    "model": "model",
    "label": "label",
    "owner": "owner",
    "canceled": "is_canceled",
}
CANCELED = Q(outcome="canceled")


@dataclass(frozen=True, slots=True)
class Question:
    """The workspaces, period, filters and grouping of one look at spend.

    A filter that is None selects everything; an empty label or owner selects the batches without
    one. `has_twins` says that several of the workspaces mirror the same batches, each of which
    then counts once.
    """

    workspaces: Sequence[int]
    period: Period
    group: Group = "workspace"
    stack: Stack = "model"
    model: str | None = None
    label: str | None = None
    owner: str | None = None
    is_canceled: bool | None = None
    has_twins: bool = False

    def usage(self, period: Period) -> QuerySet[BatchUsage]:
        """The usage rows of a period, unordered."""
        filters = self._given("model", "label", "owner", "is_canceled")
        usage = BatchUsage.objects.filter(
            workspace__in=self.workspaces, day__range=(period.since, period.until), **filters
        )
        # Without twins, the sums read one index and never the batches.
        return usage.exclude(batch__twin_of__in=self.workspaces) if self.has_twins else usage

    def batches(self, period: Period) -> BatchQuerySet:
        """The batches of a period, of any model: a batch's models are unknown until it is read."""
        batches = Batch.objects.filter(
            workspace__in=self.workspaces,
            created_at__gte=start_of(period.since),
            created_at__lt=end_of(period.until),
            **self._given("label", "owner"),
        )
        if self.is_canceled is not None:
            batches = batches.filter(CANCELED if self.is_canceled else ~CANCELED)
        if self.has_twins:
            batches = batches.exclude(twin_of__in=self.workspaces)
        return batches

    def _given(self, *names: str) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}
