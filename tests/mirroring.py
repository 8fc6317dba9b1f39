"""Mirrored batches without a sandbox: stored by the same code as those that a round lists."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from batches.client.types import RemoteBatch, RequestCounts
from batches.mirror.store import store
from batches.models import Batch, Workspace
from batches.models.batch import COUNTS, Derived

MOMENTS = ("created_at", "expires_at", "ended_at", "cancel_initiated_at", "archived_at")
FROM_THE_API = ("processing_status", "results_url", "raw", *MOMENTS, *COUNTS)


def mirror(workspace: Workspace, api_id: str, *, now: datetime, **columns: Any) -> Batch:
    """A batch as it is after a round at `now` that listed it for the first time.

    Columns that no API has, such as `label`, are written after it.
    """
    own = {name: columns.pop(name) for name in list(columns) if name not in FROM_THE_API}
    store(workspace, [remote_batch(api_id, **columns)], now=now)
    batch = Batch.objects.select_related("workspace").get(workspace=workspace, api_id=api_id)
    return with_columns(batch, own)


def mirror_change(batch: Batch, *, now: datetime, **columns: Any) -> None:
    """Change the row as rounds do, and readings for Batchboard's own columns."""
    own = {name: columns.pop(name) for name in list(columns) if name not in FROM_THE_API}
    if columns:
        now_listed = {name: getattr(batch, name) for name in FROM_THE_API if name != "raw"}
        listed = now_listed | columns
        store(batch.workspace, [remote_batch(batch.api_id, **listed)], now=now)
    if own:
        with transaction.atomic():
            batch.touch(**own)
    batch.refresh_from_db()


def remote_batch(api_id: str, *, created_at: datetime, **columns: Any) -> RemoteBatch:
    """The batch as the API would list it; it expires after 24 hours by default."""
    counts = RequestCounts(**{name: columns.pop(name, 0) for name in COUNTS})
    expires_at = columns.pop("expires_at", created_at + timedelta(hours=24))
    status = columns.pop("processing_status", "in_progress")
    raw = columns.pop("raw", None) or {
        "id": api_id,
        "processing_status": status,
        "request_counts": {name: getattr(counts, name) for name in COUNTS},
    }
    return RemoteBatch(
        id=api_id,
        type="message_batch",
        processing_status=status,
        request_counts=counts,
        created_at=created_at,
        expires_at=expires_at,
        raw=raw,
        **columns,
    )


def with_columns(batch: Batch, own: dict[str, Any]) -> Batch:
    """The batch with these columns of Batchboard's own, and what is derived from them."""
    if not own:
        return batch
    for name, value in own.items():
        setattr(batch, name, value)
    batch.derive()
    batch.save(update_fields=[*own, *Derived._fields])
    return batch
