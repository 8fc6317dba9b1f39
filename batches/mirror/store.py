"""The API's answers → rows. The only module that writes a batch's mirrored columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection, transaction
from django.db.models import Q

from batches import labels
from batches.client import RemoteBatch
from batches.clock import MARGIN
from batches.labels import Labels
from batches.mirror.observing import note_changes
from batches.models import Batch, Cancellation, Revision, Workspace
from batches.models.batch import COUNTS, Derived, derived

# Columns with the API's own fields.
MIRRORED = (
    "processing_status",
    "created_at",
    "expires_at",
    "ended_at",
    "cancel_initiated_at",
    "archived_at",
    "results_url",
)
WRITTEN = (
    *MIRRORED,
    *COUNTS,
    "raw",
    *Derived._fields,
    "revision",
    "changed_at",
    "missing_rounds",
    "missing_noted_at",
    "deleted_upstream_at",
)
# A new row also has these columns of Batchboard's, which this module never changes again.
INSERTED = (
    *("workspace_id", "api_id", "twin_of", "first_revision", "first_seen_at"),
    *Labels._fields,
    *WRITTEN,
)
MISSING_ROUNDS = 3
NO_LABELS = Labels()
MISSING_GAP = timedelta(minutes=5)

RANK: dict[str, int] = {
    Batch.Status.IN_PROGRESS: 0,
    Batch.Status.CANCELING: 1,
    Batch.Status.ENDED: 2,
}


class OtherWorkspace(Exception):
    """The answer belongs to another Anthropic workspace than the mirrored batches.

    `str(error)` can be shown to people.
    """


@dataclass(slots=True)
class Stored:
    """How many batches of a page were new, changed and unchanged."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0

    @property
    def has_news(self) -> bool:
        return bool(self.created or self.changed)

    def __iadd__(self, other: "Stored") -> "Stored":
        self.created += other.created
        self.changed += other.changed
        self.unchanged += other.unchanged
        return self


def store(
    workspace: Workspace,
    remote_batches: Iterable[RemoteBatch],
    *,
    now: datetime,
    asked_at: datetime | None = None,
    is_steady: bool = False,
) -> Stored:
    """Insert new batches, update changed ones, and settle their cancellations, all or nothing.

    Batches come newest first, as the API lists them. A row never goes back to an earlier status:
    an answer that was already on its way when a cancel was accepted does not make it `in_progress`
    again. Nor does the answer to a call of `asked_at` overwrite that to a later call. `is_steady`
    says that probably nothing has changed, as in most rounds; one read then finds out, without a
    lock. Raises OtherWorkspace.
    """
    remotes = {remote.id: remote for remote in remote_batches}
    for remote in remotes.values():
        refuse_other_workspace(workspace, remote.workspace_id)
    if is_steady and _all_unchanged(workspace, remotes):
        return Stored(unchanged=len(remotes))
    # No savepoint: within a caller's transaction it is all or nothing anyway.
    with transaction.atomic(savepoint=False):
        written = write_rows(workspace, remotes, now=now, asked_at=asked_at)
        _settle_cancellations(workspace, written.changed, now)
    new, changed = len(written.new), len(written.changed)
    return Stored(new, changed, len(remotes) - new - changed)


def refuse_other_workspace(workspace: Workspace, named: str) -> None:
    """Raise OtherWorkspace if an answer names another workspace than earlier answers."""
    if not named or not workspace.api_workspace_id or named == workspace.api_workspace_id:
        return
    raise OtherWorkspace(
        f"The key of {workspace.name} belongs to another Anthropic workspace: answers are for "
        f"{named}, and the batches here belong to {workspace.api_workspace_id}."
    )


@dataclass(slots=True)
class Written:
    """Existing rows by ID, as they are now; those of them that changed; batches that are new."""

    rows: dict[str, Batch]
    changed: list[Batch]
    new: list[RemoteBatch]


def write_rows(
    workspace: Workspace,
    remotes: Mapping[str, RemoteBatch],
    *,
    now: datetime,
    asked_at: datetime | None = None,
) -> Written:
    """Write rows as `store` does, but leave their cancellations for the caller to settle.

    `remotes` are batches of this workspace, by ID. Needs an open transaction.
    """
    # Before the rows are read, as the lock on the counter also keeps two writers apart.
    first_revision = Revision.take(len(remotes))
    existing = Batch.objects.select_for_update().filter(
        workspace=workspace, api_id__in=list(remotes)
    )
    rows = {row.api_id: row for row in existing}
    new = [remote for remote in remotes.values() if remote.id not in rows]
    changed = [
        (row, remote)
        for remote in remotes.values()
        if (row := rows.get(remote.id))
        and _is_news(row, remote)
        and not _is_older(row, asked_at, now)
    ]
    note_changes(changed, now)
    remotes_to_write = [*new, *(remote for _, remote in changed)]
    pending = labels.pending_labels(workspace, (remote.id for remote in new), now)
    own = {api_id: labels.given_labels(row) for api_id, row in pending.items()}
    twins = _twins(workspace, new)
    _upsert(workspace, remotes_to_write, first_revision, now, twins=twins, own=own)
    labels.settle_pending(workspace, pending, now)
    for row, remote in changed:
        _copy(row, remote, now)
    return Written(rows, [row for row, _ in changed], new)


def _all_unchanged(workspace: Workspace, remotes: dict[str, RemoteBatch]) -> bool:
    """Whether every row already holds what the API says now."""
    rows = Batch.objects.filter(workspace=workspace, api_id__in=list(remotes)).values_list(
        "api_id", "raw", "missing_rounds"
    )
    known = {api_id: columns for api_id, *columns in rows}
    return len(known) == len(remotes) and all(
        known[api_id] == [remote.raw, 0] for api_id, remote in remotes.items()
    )


def _twins(workspace: Workspace, new: Sequence[RemoteBatch]) -> dict[str, int]:
    """New batches that another workspace mirrors already: that workspace's primary key by ID.

    Only workspaces with the same address and Anthropic workspace count, as an address can list
    any IDs it likes.
    """
    same = Workspace.objects.filter(
        base_url=workspace.base_url, api_workspace_id=workspace.api_workspace_id
    ).exclude(pk=workspace.pk)
    others = list(same.values_list("pk", flat=True)) if new else []
    if not others:
        return {}
    rows = Batch.objects.filter(
        api_id__in=[remote.id for remote in new], workspace__in=others, twin_of=None
    )
    twins = dict(rows.values_list("api_id", "workspace_id"))
    if twins and not workspace.has_twins:
        workspace.has_twins = True
        Workspace.objects.filter(pk=workspace.pk).update(has_twins=True)
    return twins


def _upsert(
    workspace: Workspace,
    remotes: Sequence[RemoteBatch],
    first_revision: int,
    now: datetime,
    *,
    twins: Mapping[str, int],
    own: Mapping[str, Labels],
) -> None:
    """Insert or update rows; an update changes the WRITTEN columns only.

    `own` are labels that new rows begin with, by ID.

    In SQL, as Django's bulk_create takes three times as long, mostly to prepare the values of
    thirty columns.
    """
    if not remotes:
        return
    # Numbered from the list's end, so that newer batches have higher revisions.
    numbered = enumerate(reversed(remotes), start=first_revision)
    with connection.cursor() as cursor:
        cursor.executemany(
            _upsert_sql(),
            [
                _values(
                    workspace,
                    remote,
                    number,
                    now,
                    twin_of=twins.get(remote.id),
                    own=own.get(remote.id, NO_LABELS),
                )
                for number, remote in numbered
            ],
        )
    Workspace.objects.filter(pk=workspace.pk).update(
        latest_revision=first_revision + len(remotes) - 1
    )


def _upsert_sql() -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(map(quote, INSERTED))
    places = ", ".join(["%s"] * len(INSERTED))
    changes = ", ".join(f"{quote(name)} = EXCLUDED.{quote(name)}" for name in WRITTEN)
    table, key = quote(Batch._meta.db_table), f"{quote('api_id')}, {quote('workspace_id')}"
    # The statement is made of column names from this module only.
    insert = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608
    return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {changes}"


def _values(
    workspace: Workspace,
    remote: RemoteBatch,
    number: int,
    now: datetime,
    *,
    twin_of: int | None,
    own: Labels,
) -> tuple[Any, ...]:
    """The values of one row, in the order of INSERTED."""
    adapt = connection.ops.adapt_datetimefield_value
    seen = adapt(now)
    return (
        *(workspace.pk, remote.id, twin_of, number, seen, *own),
        remote.processing_status,
        adapt(remote.created_at),
        adapt(remote.expires_at),
        adapt(remote.ended_at),
        adapt(remote.cancel_initiated_at),
        adapt(remote.archived_at),
        remote.results_url,
        *(getattr(remote.request_counts, name) for name in COUNTS),
        msgspec.json.encode(remote.raw).decode(),
        *derived(remote, remote.request_counts),
        *(number, seen, 0, None, None),
    )


def _copy(row: Batch, remote: RemoteBatch, now: datetime) -> None:
    """Set on a loaded row what `_upsert` has written, except for its revision."""
    for name in MIRRORED:
        setattr(row, name, getattr(remote, name))
    for name in COUNTS:
        setattr(row, name, getattr(remote.request_counts, name))
    row.raw = remote.raw
    row.changed_at = now
    # The API has it, so it is not missing.
    row.missing_rounds, row.missing_noted_at, row.deleted_upstream_at = 0, None, None
    row.derive()


def _is_news(row: Batch, remote: RemoteBatch) -> bool:
    """Whether the row should change. An unknown status is accepted unless the batch has ended."""
    before, after = RANK.get(row.processing_status), RANK.get(remote.processing_status)
    if row.has_ended and after != before:
        return False
    if before is not None and after is not None and after < before:
        return False
    return row.raw != remote.raw or row.missing_rounds > 0


def _is_older(row: Batch, asked_at: datetime | None, now: datetime) -> bool:
    """Whether the row already holds the answer to a later call."""
    return asked_at is not None and asked_at < row.changed_at <= now


def _settle_cancellations(workspace: Workspace, rows: Sequence[Batch], now: datetime) -> None:
    """Settle the rows' cancellations, such as one whose answer from the API was lost."""
    live = {row.pk: row for row in rows if row.shows_cancel or not row.is_active}
    if not live:
        return
    # The latest is corrected if it seemed refused and the batch shows that it was accepted.
    refused = Cancellation.objects.filter(
        state="refused", pk__in=[row.latest_cancellation_id for row in rows]
    )
    undecided = Cancellation.objects.unsettled()
    for cancellation in (undecided | refused).filter(batch__in=list(live)):
        batch = live[cancellation.batch_id or 0]
        batch.workspace = workspace
        cancellation.settle(batch, now)


def note_missing(workspace: Workspace, missing: Sequence[int], *, now: datetime) -> int:
    """Count one more round without these batches, given by primary key; how many are now deleted.

    A batch counts as deleted upstream after three rounds without it, each MISSING_GAP or more
    after the one before, since a single list can be wrong.
    """
    if not missing:
        return 0
    with transaction.atomic():
        first_revision = Revision.take(len(missing))
        rows = list(
            Batch.objects.select_for_update()
            .filter(pk__in=missing, deleted_upstream_at=None)
            .filter(
                Q(missing_noted_at=None)
                | Q(missing_noted_at__lte=now - MISSING_GAP)
                # Written by a clock that was ahead.
                | Q(missing_noted_at__gt=now + MARGIN)
            )
        )
        deleted: list[Batch] = []
        for row in rows:
            row.missing_rounds += 1
            row.missing_noted_at = now
            if row.missing_rounds >= MISSING_ROUNDS:
                row.deleted_upstream_at = now
                row.revision = first_revision + len(deleted)
                row.changed_at = now
                row.derive()
                deleted.append(row)
        Batch.objects.bulk_update(
            rows,
            [
                "missing_rounds",
                "missing_noted_at",
                "deleted_upstream_at",
                "revision",
                "changed_at",
                *Derived._fields,
            ],
            batch_size=100,
        )
        if deleted:
            Workspace.objects.filter(pk=workspace.pk).update(
                latest_revision=first_revision + len(deleted) - 1
            )
            _settle_cancellations(workspace, deleted, now)
    return len(deleted)
