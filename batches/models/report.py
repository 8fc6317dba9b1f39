from django.db import models

from batches.models.claim import Claimable, ClaimableQuerySet


class CostReportQuerySet(ClaimableQuerySet["CostReport"]):
    def the_one(self) -> "CostReport":
        """The only row, created if need be."""
        found = self.filter(pk=1).first()
        if found is None:
            self.bulk_create([CostReport(pk=1)], ignore_conflicts=True)
            found = self.get(pk=1)
        return found


class CostReport(Claimable):
    """The work of fetching Anthropic's cost report. There is one row, for the one Admin key."""

    FIRST_WAIT = 60.0
    LONGEST_WAIT = 3600.0

    fetched_at = models.DateTimeField(null=True)
    # When Anthropic last updated its figures, as the report says.
    refreshed_at = models.DateTimeField(null=True)
    # All days from this one on have been fetched, including days without any cost.
    covers_since = models.DateField(null=True)
    # The organization's workspaces, ID to name. Empty if the key may not list them.
    workspace_names = models.JSONField(default=dict)

    objects = CostReportQuerySet.as_manager()

    def __str__(self) -> str:
        return f"cost report as of {self.fetched_at}"


class ReportedCost(models.Model):
    """The cost of one workspace's batches on one UTC day, in USD, from Anthropic's cost report."""

    day = models.DateField()
    # Anthropic's ID, wrkspc_…; empty for the organization's default workspace.
    api_workspace_id = models.CharField(max_length=100, blank=True)
    # Twelve decimal places hold the cost of a single token. SQLite keeps 15 digits in all.
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
