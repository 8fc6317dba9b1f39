"""Labels for the demo's batches: without them, spend by label and owner would be empty."""

from hashlib import blake2s

from batches.labels import Labels, write_labels
from batches.models import Batch, Revision

PROJECTS = (
    Labels("nightly eval", "ada@example.com"),
    Labels("nightly eval", "ada@example.com"),
    Labels("ticket triage", "grace@example.com"),
    Labels("product translation", "lin@example.com"),
    Labels("call summaries", "grace@example.com", "Requested by support, every Monday."),
    Labels("synthetic training data", "sofia@example.com"),
    Labels("", "sofia@example.com"),
    Labels(),
)


def label_once() -> None:
    """Give most batches a label and an owner, unless a batch already has a label."""
    if Batch.objects.exclude(label="").exists():
        return
    for batch in Batch.objects.select_related("workspace").defer("raw"):
        # The same batch gets the same label at every start.
        draw = blake2s(batch.api_id.encode(), digest_size=1).digest()[0]
        with Revision.writing():
            write_labels(batch, PROJECTS[draw % len(PROJECTS)])
