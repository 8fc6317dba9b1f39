"""Label, owner and note of a batch: ours alone, as the API has none (ux.md 16)."""

from typing import Any, NamedTuple

from batches import clock
from batches.models import AuditEvent, Batch, BatchUsage, Revision

# Of a note, what the audit repeats.
QUOTED = 120


class Labels(NamedTuple):
    """What people call a batch; empty where they said nothing."""

    label: str = ""
    owner: str = ""
    note: str = ""


class LabelsChanged(Exception):
    """Somebody else changed them meanwhile. `current` is what they are now."""

    def __init__(self, current: Labels) -> None:
        super().__init__("Somebody else has changed these meanwhile.")
        self.current = current


def labels_of(batch: Batch) -> Labels:
    return Labels(batch.label, batch.owner, batch.note)


def label_batch(
    batch: Batch, new: Labels, *, actor: Any, address: str, seen: Labels | None = None
) -> list[str]:
    """Give the batch these labels and write that into the audit; the names of what changed.

    `seen` is what the person saw before: where it is no longer so, nothing is written and
    LabelsChanged is raised, so that nobody overwrites what they have not read.
    """
    with Revision.writing():
        row = Batch.objects.select_for_update().with_workspace().defer("raw").get(pk=batch.pk)
        current = labels_of(row)
        changed = [name for name in Labels._fields if getattr(current, name) != getattr(new, name)]
        if not changed:
            return []
        if seen is not None and seen != current:
            raise LabelsChanged(current)
        write(row, new)
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


def write(batch: Batch, new: Labels) -> None:
    """Put the labels where they belong, and nothing into the audit. Needs an open transaction."""
    batch.touch(**new._asdict())
    # Spend sums over usage alone, which repeats these two.
    BatchUsage.objects.filter(batch=batch).update(label=new.label, owner=new.owner)


def quoted(text: str) -> str:
    """As the audit says it: in quotes, on one line, and not at length."""
    line = " ".join(text.split())
    if not line:
        return "none"
    return f"“{line}”" if len(line) <= QUOTED else f"“{line[:QUOTED]}…”"


def in_use(workspaces: list[int], *, most: int = 200) -> tuple[list[str], list[str]]:
    """Labels and owners given in these workspaces, alphabetically: what a form may suggest."""
    batches = Batch.objects.filter(workspace__in=workspaces).order_by()
    labels, owners = (
        batches.exclude(**{name: ""}).values_list(name, flat=True).distinct().order_by(name)[:most]
        for name in ("label", "owner")
    )
    return list(labels), list(owners)
