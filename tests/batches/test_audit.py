import pytest

from batches.models import AuditEvent
from batches.models.audit import AuditIsAppendOnly


@pytest.fixture
def event(person):
    return AuditEvent.record("signed in", actor=person(name="ada"))


def test_an_event_cannot_be_changed(event):
    event.actor = "mallory"

    with pytest.raises(AuditIsAppendOnly):
        event.save()
    with pytest.raises(AuditIsAppendOnly):
        AuditEvent.objects.update(actor="mallory")
    with pytest.raises(AuditIsAppendOnly):
        AuditEvent.objects.bulk_update([event], ["actor"])
    assert AuditEvent.objects.get().actor == "ada"


def test_an_event_cannot_be_deleted(event):
    with pytest.raises(AuditIsAppendOnly):
        event.delete()
    with pytest.raises(AuditIsAppendOnly):
        AuditEvent.objects.all().delete()
    assert AuditEvent.objects.count() == 1


def test_deleting_person_workspace_and_batch_leaves_the_record(mirrored, person, workspace):
    batch, actor = mirrored(), person("operator", workspace, name="ada")
    AuditEvent.record("cancel requested", actor=actor, batch=batch)

    workspace.delete()
    actor.delete()

    event = AuditEvent.objects.get()
    assert (event.actor, event.workspace, event.batch_api_id) == ("ada", "Research", batch.api_id)
