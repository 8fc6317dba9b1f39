"""Who reads which results file, and when: oldest first, one reader at a time, nothing lost."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from batches.labels import Labels, label_batch
from batches.models import Batch, BatchUsage, ClaimLost, Reading, Revision
from batches.results import reading
from batches.results.reading import due_readings, mark_lost
from batches.spend.costs import cost_of
from tests.batches.results.files import fresh
from tests.working import read_now

pytestmark = pytest.mark.usefixtures("no_waits")


def due() -> list[int]:
    """Batches whose results a worker would read now, in its order."""
    return list(due_readings(timezone.now()).values_list("pk", flat=True))


def test_results_archived_before_they_were_read_are_lost_and_say_so(
    ended, sandbox, sync, workspace
):
    batch = ended()
    sandbox.archive(batch.api_id)
    sync(workspace)
    before = Revision.current()

    assert mark_lost(timezone.now()) == 1

    assert cost_of(fresh(batch)).state == "lost"
    assert fresh(batch).revision > before
    assert due() == []


def test_results_of_a_batch_that_was_deleted_are_lost(ended):
    batch = ended()
    Batch.objects.update(deleted_upstream_at=timezone.now())

    assert mark_lost(timezone.now()) == 1

    assert cost_of(fresh(batch)).state == "lost"
    assert due() == []


def test_results_read_in_time_outlive_the_archiving(ended, sandbox, sync, workspace):
    batch = ended()
    read_now(batch)
    sandbox.archive(batch.api_id)
    sync(workspace)

    assert mark_lost(timezone.now()) == 0

    assert cost_of(fresh(batch)).state == "computed"


def test_the_oldest_are_read_first(ended):
    young, old = (ended(created_at=timezone.now() - timedelta(days=days)) for days in (2, 20))

    assert due() == [old.pk, young.pk]


def test_batches_that_run_are_not_read(mirrored):
    batch = mirrored()

    assert due() == []
    assert not read_now(batch)
    assert fresh(batch).results_state == "pending"


def test_two_workers_never_read_one_file_at_once(ended, sandbox):
    batch = ended()
    Reading.objects.take([batch.pk], timezone.now(), owner="another")

    assert due() == []
    assert not read_now(batch)

    assert ("GET", f"/v1/messages/batches/{batch.api_id}/results") not in sandbox.calls


def test_a_killed_worker_s_file_is_taken_over_within_a_minute(ended):
    batch = ended()
    killed_at = timezone.now()
    # Killed in the middle of reading: the claim is all that is left of it.
    Reading.objects.take([batch.pk], killed_at, owner="another")

    with time_machine.travel(killed_at + timedelta(seconds=59)):
        assert due() == [batch.pk]
        assert read_now(batch)


def test_a_worker_that_was_overtaken_writes_nothing(ended, monkeypatch):
    batch = ended(requests=30)
    check = reading._check

    def overtaken(batch, tally):
        check(batch, tally)
        Reading.objects.update(claim="another worker's")

    monkeypatch.setattr(reading, "_check", overtaken)

    with pytest.raises(ClaimLost):
        read_now(batch)

    assert not BatchUsage.objects.exists()
    assert Reading.objects.get().claim == "another worker's"


def test_a_label_given_meanwhile_is_on_the_figures(ended, person, monkeypatch):
    batch = ended()
    check = reading._check

    def labeled_meanwhile(batch, tally):
        check(batch, tally)
        label_batch(batch, Labels("eval", "ada"), actor=person("operator"), address="")

    monkeypatch.setattr(reading, "_check", labeled_meanwhile)

    read_now(fresh(batch))

    assert set(BatchUsage.objects.values_list("label", "owner")) == {("eval", "ada")}
