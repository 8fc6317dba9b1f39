"""Label, owner and note of a batch. Only Batchboard has them; the API has no such fields."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from batches import clock
from batches.models import AuditEvent, Batch, BatchUsage, PendingLabels, Revision, Workspace

# The audit quotes at most this many characters of each.
QUOTED = 120
# How long labels wait for a batch that is not mirrored yet.
PENDING_FOR = timedelta(hours=48)
# So many batches of one workspace can have labels that wait for them.
MOST_PENDING = 10_000


class Labels(NamedTuple):
    """The label, owner and note of one batch; empty if no one set them."""

    label: str = ""
    owner: str = ""
    note: str = ""


class LabelsChanged(Exception):
    """Someone else changed the labels first. `current` is what they are now."""

    def __init__(self, current: Labels) -> None:
        super().__init__("Someone else changed these first.")
        self.current = current


class TooManyPending(Exception):
    """MOST_PENDING batches of the workspace already wait to be seen."""


def labels_of(batch: Batch) -> Labels:
    return Labels(batch.label, batch.owner, batch.note)


def label_batch(
    batch: Batch, new: Labels, *, actor: Any, address: str, seen: Labels | None = None
) -> list[str]:
    """Set the batch's labels, record it in the audit, and return the names of what changed.

    `seen` is what the person saw before. If the labels are different now, nothing is written and
    LabelsChanged is raised, so that no one overwrites what they have not read.
    """
    return change_labels(batch, new._asdict(), actor=actor, address=address, seen=seen)


def change_labels(
    batch: Batch,
    given: Mapping[str, str],
    *,
    actor: Any,
    address: str,
    seen: Labels | None = None,
) -> list[str]:
    """As `label_batch`, but what is not `given` stays as it is."""
    with Revision.writing():
        row = Batch.objects.select_for_update().with_workspace().defer("raw").get(pk=batch.pk)
        current = labels_of(row)
        new = Labels(**{**current._asdict(), **given})
        changed = [name for name in Labels._fields if getattr(current, name) != getattr(new, name)]
        if changed:
            if seen is not None and seen != current:
                raise LabelsChanged(current)
            write_labels(row, new)
            AuditEvent.record(
                AuditEvent.Action.BATCH_LABELED,
                actor=actor,
                batch=row,
                address=address,
                at=clock.now(),
                outcome="; ".join(
                    f"{name}: {quoted(getattr(current, name))} → {quoted(getattr(new, name))}"
                    for name in changed
                ),
            )
    for name in Labels._fields:
        setattr(batch, name, getattr(new, name))
    return changed


def write_labels(batch: Batch, new: Labels) -> None:
    """Write the labels without an audit event. Needs an open transaction."""
    batch.touch(**new._asdict())
    # Spend reads only usage rows, which repeat these two.
    BatchUsage.objects.filter(batch=batch).update(label=new.label, owner=new.owner)


def label_when_seen(
    workspace: Workspace, api_id: str, given: Mapping[str, str], *, actor: Any, address: str
) -> PendingLabels | Batch:
    """Keep labels for a batch that isn't mirrored yet, for PENDING_FOR; the last write wins.

    Returns the batch, labeled, if a round has mirrored it meanwhile. Raises TooManyPending.
    """
    # A round takes the same lock before it looks which batches are new.
    with Revision.writing():
        now = clock.now()
        mirrored = Batch.objects.with_workspace().filter(workspace=workspace, api_id=api_id)
        if batch := mirrored.first():
            change_labels(batch, given, actor=actor, address=address)
            return batch
        pending = PendingLabels.objects.filter(workspace=workspace, expires_at__gt=now)
        if not pending.filter(api_id=api_id).exists() and pending.count() >= MOST_PENDING:
            raise TooManyPending
        # Labels that have expired must not come back with what is given now.
        forget_pending(now)
        row, _ = PendingLabels.objects.update_or_create(
            workspace=workspace,
            api_id=api_id,
            defaults={
                **given,
                "requested_by_name": actor.get_username(),
                "expires_at": now + PENDING_FOR,
            },
        )
        words = "; ".join(f"{name}: {quoted(text)}" for name, text in given.items())
        AuditEvent.record(
            AuditEvent.Action.BATCH_LABELED,
            actor=actor,
            workspace=workspace,
            batch_api_id=api_id,
            address=address,
            at=now,
            outcome=f"{words}; kept until the batch is seen",
        )
    return row


def pending_labels(
    workspace: Workspace, api_ids: Iterable[str], now: datetime
) -> dict[str, PendingLabels]:
    """The labels that wait for these batches, by ID; no query for no batches."""
    ids = list(api_ids)
    if not ids:
        return {}
    rows = PendingLabels.objects.filter(workspace=workspace, api_id__in=ids, expires_at__gt=now)
    return {row.api_id: row for row in rows}


def given_labels(pending: PendingLabels | None) -> Labels:
    """What a new batch begins with; empty without pending labels."""
    if pending is None:
        return Labels()
    return Labels(*(getattr(pending, name) or "" for name in Labels._fields))


def settle_pending(
    workspace: Workspace, applied: Mapping[str, PendingLabels], now: datetime
) -> None:
    """Record in the audit that the labels were applied, and forget them; two queries at most."""
    if not applied:
        return
    AuditEvent.objects.bulk_create(
        AuditEvent.of(
            AuditEvent.Action.BATCH_LABELED,
            workspace=workspace,
            batch_api_id=api_id,
            at=now,
            outcome=f"{_written(pending)}; as {pending.requested_by_name} requested before the "
            "batch was seen",
        )
        for api_id, pending in applied.items()
    )
    PendingLabels.objects.filter(pk__in=[pending.pk for pending in applied.values()]).delete()


def forget_pending(now: datetime) -> None:
    """Delete labels whose batch was not seen in time."""
    PendingLabels.objects.filter(expires_at__lte=now).delete()


def _written(pending: PendingLabels) -> str:
    labels = given_labels(pending)._asdict().items()
    return "; ".join(f"{name}: none → {quoted(text)}" for name, text in labels if text)


def quoted(text: str) -> str:
    """The text for an audit event: in quotation marks, on one line, shortened."""
    line = " ".join(text.split())
    if not line:
        return "none"
    return f"“{line}”" if len(line) <= QUOTED else f"“{line[:QUOTED]}…”"


def in_use(workspaces: list[int], *, most: int = 200) -> tuple[list[str], list[str]]:
    """Labels and owners that these workspaces use, in alphabetical order, for a form to suggest."""
    batches = Batch.objects.filter(workspace__in=workspaces).order_by()
    labels, owners = (
        batches.exclude(**{name: ""}).values_list(name, flat=True).distinct().order_by(name)[:most]
        for name in ("label", "owner")
    )
    return list(labels), list(owners)
