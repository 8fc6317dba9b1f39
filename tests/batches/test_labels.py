from decimal import Decimal

import pytest

from batches.labels import Labels, LabelsChanged, in_use, label_batch
from batches.models import AuditEvent, Batch, BatchUsage, Revision
from batches.spend.costs import cost_of
from tests.working import read_now


@pytest.fixture
def label(person):
    """A function that labels a batch as an operator does."""
    ada = person("operator", name="ada")

    def label(batch: Batch, *new: str, seen: Labels | None = None) -> list[str]:
        return label_batch(batch, Labels(*new), actor=ada, address="192.0.2.1", seen=seen)

    return label


def test_a_label_is_on_the_batch_and_polls_show_it(mirrored, label):
    batch = mirrored()
    before = Revision.current()

    assert label(batch, "eval 7", "ada@example.com", "two\nlines") == ["label", "owner", "note"]

    row = Batch.objects.get()
    assert (row.label, row.owner, row.note) == ("eval 7", "ada@example.com", "two\nlines")
    assert row.revision > before


def test_labeling_is_recorded_in_the_audit(mirrored, label):
    batch = mirrored()
    label(batch, "eval", "ada")

    label(batch, "", "ada", "x" * 500)

    event = AuditEvent.objects.order_by("-pk")[0]
    assert (event.action, event.actor, event.address) == ("batch labeled", "ada", "192.0.2.1")
    assert event.batch_api_id == batch.api_id
    assert event.outcome.startswith("label: “eval” → none; note: none → “xxx")
    assert len(event.outcome) < 200


def test_the_same_labels_again_write_nothing(mirrored, label):
    batch = mirrored()
    label(batch, "eval")
    before = (Revision.current(), AuditEvent.objects.count())

    assert label(batch, "eval") == []

    assert (Revision.current(), AuditEvent.objects.count()) == before


def test_labels_that_the_person_has_not_seen_are_not_overwritten(mirrored, label):
    batch = mirrored()
    label(batch, "first")

    with pytest.raises(LabelsChanged) as conflict:
        label(batch, "second", seen=Labels())

    assert conflict.value.current == Labels("first")
    assert Batch.objects.get().label == "first"


def test_a_batchs_usage_gets_its_labels(ended, label):
    batch = ended(models=["claude-sonnet-5-5"])
    read_now(batch)

    label(batch, "eval", "ada")

    assert set(BatchUsage.objects.values_list("label", "owner")) == {("eval", "ada")}
    assert cost_of(Batch.objects.get()).total > Decimal(0)


def test_the_sync_leaves_labels_alone(mirrored, label, sandbox, sync, workspace):
    batch = mirrored()
    label(batch, "eval", "ada", "why")
    sandbox.finish(batch.api_id)

    sync(workspace)

    row = Batch.objects.get()
    assert (row.processing_status, row.label, row.owner, row.note) == (
        "ended",
        "eval",
        "ada",
        "why",
    )


def test_suggestions_are_what_these_workspaces_use(
    mirrored, label, sandbox, other_workspace, sync, workspace
):
    label(mirrored(), "b", "ada")
    label(mirrored(), "a", "ada")
    other = sandbox.add_batch(key=sandbox.other_key)
    sync(other_workspace)
    label(Batch.objects.get(api_id=other), "secret project", "eve")

    assert in_use([workspace.pk]) == (["a", "b"], ["ada"])
