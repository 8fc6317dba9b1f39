"""Of which batches spend is asked for, and what it is parted by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import Q, QuerySet

from batches.models import Batch, BatchQuerySet, BatchUsage
from batches.period import Period, end_of, start_of

type Group = Literal["workspace", "model", "label", "owner", "canceled"]
type Stack = Literal["model", "workspace"]

# The column of usage that each goes by.
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
    """None asks for all; an empty label or owner for the batches without one.

    `has_twins` says that some of the workspaces mirror the same batches: each counts once then.
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
        """The usage rows of a period, in no order."""
        wanted = self._given("model", "label", "owner", "is_canceled")
        usage = BatchUsage.objects.filter(
            workspace__in=self.workspaces, day__range=(period.since, period.until), **wanted
        )
        # Otherwise the sums read one index alone, without the batches.
        return usage.exclude(batch__twin_of__in=self.workspaces) if self.has_twins else usage

    def batches(self, period: Period) -> BatchQuerySet:
        """The batches of a period whatever their models: before its end nobody knows them."""
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
