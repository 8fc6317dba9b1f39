from django.db import models

from batches.models.workspace import Workspace


class PendingLabels(models.Model):
    """Labels for a batch that no round has listed yet. The round that first lists it applies them.

    A label, owner or note that is None was not given.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    api_id = models.CharField(max_length=200)
    label = models.CharField(max_length=200, null=True)  # noqa: DJ001
    owner = models.CharField(max_length=200, null=True)  # noqa: DJ001
    note = models.TextField(null=True)  # noqa: DJ001
    # A copy, as the account may be renamed or deleted.
    requested_by_name = models.CharField(max_length=150)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "api_id"], name="one_pending_row_per_batch"
            )
        ]

    def __str__(self) -> str:
        return f"{self.api_id} until {self.expires_at:%F %T}"
