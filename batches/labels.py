"""Label, owner and note of a batch. Only Batchboard has them; the API has no such fields."""

from typing import Any, NamedTuple

from batches import clock
from batches.models import AuditEvent, Batch, BatchUsage, Revision

# The audit quotes at most this many characters of each.
QUOTED = 120


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


def labels_of(batch: Batch) -> Labels:
    return Labels(batch.label, batch.owner, batch.note)


def label_batch(
    batch: Batch, new: Labels, *, actor: Any, address: str, seen: Labels | None = None
) -> list[str]:
    """Set the batch's labels, record it in the audit, and return the names of what changed.

    `seen` is what the person saw before. If the labels are different now, nothing is written and
    LabelsChanged is raised, so that no one overwrites what they have not read.
    """
    with Revision.writing():
        row = Batch.objects.select_for_update().with_workspace().defer("raw").get(pk=batch.pk)
        current = labels_of(row)
        changed = [name for name in Labels._fields if getattr(current, name) != getattr(new, name)]
        if not changed:
            return []
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
