"""A client for the Message Batches API and the cost report."""

from batches.client.address import checked_base_url, parse_headers
from batches.client.errors import (
    ApiError,
    ApiRefused,
    BatchNotFound,
    KeyRefused,
    NotTheApi,
    TryLater,
    Unreachable,
)
from batches.client.http import BatchClient
from batches.client.reports import CostPage, ReportClient, ReportedDay
from batches.client.types import BatchPage, RemoteBatch, RequestCounts, UnreadableBatch

__all__ = [
    "ApiError",
    "ApiRefused",
    "BatchClient",
    "BatchNotFound",
    "BatchPage",
    "CostPage",
    "KeyRefused",
    "NotTheApi",
    "RemoteBatch",
    "ReportClient",
    "ReportedDay",
    "RequestCounts",
    "TryLater",
    "Unreachable",
    "UnreadableBatch",
    "checked_base_url",
    "parse_headers",
]
