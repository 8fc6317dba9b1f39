"""The tables, their querysets, and questions about the state of a row."""

from batches.models.audit import AuditEvent
from batches.models.batch import Batch, BatchQuerySet, Observation
from batches.models.cancellation import Cancellation
from batches.models.claim import Claimable, ClaimLost
from batches.models.pending import PendingLabels
from batches.models.report import CostReport, ReportedCost
from batches.models.revision import Revision
from batches.models.usage import BatchUsage, FailedRequest, Reading
from batches.models.worker import Chore, WorkerProcess
from batches.models.workspace import Workspace

__all__ = [
    "AuditEvent",
    "Batch",
    "BatchQuerySet",
    "BatchUsage",
    "Cancellation",
    "Chore",
    "ClaimLost",
    "Claimable",
    "CostReport",
    "FailedRequest",
    "Observation",
    "PendingLabels",
    "Reading",
    "ReportedCost",
    "Revision",
    "WorkerProcess",
    "Workspace",
]
