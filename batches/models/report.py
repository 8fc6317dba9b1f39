from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q

# Longer than a fetch may take (report.FETCH_SECONDS), so that nobody takes over a live one.
FETCHING_CLAIM = timedelta(minutes=5)


class CostReportQuerySet(models.QuerySet["CostReport"]):
    def the_one(self) -> "CostReport":
        """The only row, made when it is first asked for."""
        found = self.filter(pk=1).first()
        if found is None:
            self.bulk_create([CostReport(pk=1)], ignore_conflicts=True)
            found = self.get(pk=1)
        return found

    def due(self, now: datetime) -> Self:
        """The row, when it is time to fetch and nobody does."""
        return self.filter(
            Q(next_at=None) | Q(next_at__lte=now),
            Q(claimed_until=None) | Q(claimed_until__lt=now),
        )

    def claim(self, now: datetime) -> datetime | None:
        """The end of a claim that is this caller's alone, or None when it is not due."""
        self.the_one()
        until = now + FETCHING_CLAIM
        return until if self.due(now).update(claimed_until=until, queued_at=None) else None


class CostReport(models.Model):
    """How the fetching of the vendor's cost report goes: one row, as there is one Admin key."""

    fetched_at = models.DateTimeField(null=True)
    # When the vendor last brought its figures up to date, as it says itself.
    refreshed_at = models.DateTimeField(null=True)
    # From this day on every day's figures have been fetched, days without any cost too.
    covers_since = models.DateField(null=True)
    # The organisation's workspaces, id to name; empty where the key may not list them.
    workspace_names = models.JSONField(default=dict)
    next_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    error_at = models.DateTimeField(null=True)
    request_id = models.CharField(max_length=200, blank=True)

    objects = CostReportQuerySet.as_manager()

    def __str__(self) -> str:
        return f"cost report as of {self.fetched_at}"


class ReportedCost(models.Model):
    """What the vendor's report says that one workspace's batches cost on one UTC day, in USD."""

    day = models.DateField()
    # The vendor's id, wrkspc_…; empty for the organisation's default workspace.
    api_workspace_id = models.CharField(max_length=100, blank=True)
    # Twelve places hold the cost of any single token; SQLite keeps fifteen digits of them all.
    amount = models.DecimalField(max_digits=26, decimal_places=12)
    requests = models.PositiveBigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "api_workspace_id"], name="one_reported_cost_per_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.api_workspace_id} {self.amount}"
