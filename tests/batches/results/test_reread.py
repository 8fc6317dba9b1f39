from datetime import timedelta

import pytest
from django.utils import timezone

from batches.models import AuditEvent, Batch, Reading, Revision
from batches.results.reading import due_readings
from batches.results.reread import NothingToReread, read_again
from tests.working import read_now


@pytest.fixture
def unreadable(ended):
    """A batch that five attempts could not read, with the next one in five hours."""
    batch = ended()
    Reading.objects.create(
        batch=batch,
        attempts=5,
        unreadable_attempts=5,
        error="The file is short.",
        next_attempt_at=timezone.now() + timedelta(hours=5),
    )
    Batch.objects.filter(pk=batch.pk).update(results_state="unreadable")
    return Batch.objects.get(pk=batch.pk)


def test_the_results_are_due_at_once_with_all_attempts(unreadable, person):
    read_again(unreadable, actor=person("operator"), address="192.0.2.1")

    unreadable.refresh_from_db()
    assert unreadable.results_state == "pending"
    assert unreadable.reading.unreadable_attempts == 0
    assert due_readings(timezone.now()).get() == unreadable
    assert read_now(unreadable)


def test_polls_see_the_change_and_the_audit_has_it(unreadable, person):
    before = Revision.current()

    read_again(unreadable, actor=person("operator", name="ada"), address="192.0.2.1")

    unreadable.refresh_from_db()
    assert unreadable.revision > before
    event = AuditEvent.objects.get(action="results reread")
    assert (event.actor, event.address) == ("ada", "192.0.2.1")
    assert event.batch_api_id == unreadable.api_id


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"results_state": "read"}, "already been read"),
        ({"results_state": "pending"}, "about to be read"),
        ({"results_state": "lost"}, "no longer has"),
        ({"archived_at": timezone.now()}, "no longer has"),
        ({"deleted_upstream_at": timezone.now()}, "no longer has"),
        ({"processing_status": "in_progress", "results_state": "pending"}, "has not ended"),
    ],
)
def test_other_states_are_refused_and_do_not_change(unreadable, person, columns, sentence):
    Batch.objects.filter(pk=unreadable.pk).update(**columns)
    before = Batch.objects.filter(pk=unreadable.pk).values().get()

    with pytest.raises(NothingToReread, match=sentence):
        read_again(unreadable, actor=person("operator"), address="")

    assert Batch.objects.filter(pk=unreadable.pk).values().get() == before
    assert Reading.objects.get().unreadable_attempts == 5
    assert not AuditEvent.objects.exists()
