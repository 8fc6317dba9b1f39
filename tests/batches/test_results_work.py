"""Who reads which results file, and when: oldest first, one reader at a time, nothing lost."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from batches import results, tasks
from batches.costs import cost_of
from batches.labels import Labels, label_batch
from batches.models import Batch, BatchUsage, Ingestion, Revision
from batches.results import derive_lost, due_readings
from tests.batches.files import SUCCEEDED, fresh
from tests.working import ingest

pytestmark = pytest.mark.usefixtures("no_waits")


def test_results_archived_before_they_were_read_are_lost_and_say_so(
    ended, sandbox, sync, workspace
):
    batch = ended()
    sandbox.archive(batch.api_id)
    sync(workspace)
    before = Revision.current()

    assert derive_lost(timezone.now()) == 1

    assert cost_of(fresh(batch)).state == "lost"
    assert fresh(batch).revision > before
    assert due_readings(timezone.now()) == []


def test_results_of_a_batch_that_was_deleted_are_lost(ended):
    batch = ended()
    Batch.objects.update(deleted_upstream_at=timezone.now())

    assert derive_lost(timezone.now()) == 1

    assert cost_of(fresh(batch)).state == "lost"
    assert due_readings(timezone.now()) == []


def test_results_read_in_time_outlive_the_archiving(ended, sandbox, sync, workspace):
    batch = ended()
    ingest(batch)
    sandbox.archive(batch.api_id)
    sync(workspace)

    assert derive_lost(timezone.now()) == 0

    assert cost_of(fresh(batch)).state == "computed"


def test_the_oldest_are_read_first(ended):
    young, old = (ended(created_at=timezone.now() - timedelta(days=days)) for days in (2, 20))

    assert due_readings(timezone.now()) == [old.pk, young.pk]


def test_what_is_in_hand_is_not_handed_out_again(ended):
    ended()
    now = timezone.now()

    assert len(due_readings(now)) == 1
    assert due_readings(now + timedelta(seconds=40)) == []
    # A worker that was killed with its task leaves the row as it was.
    assert len(due_readings(now + timedelta(seconds=51))) == 1


def test_no_more_is_handed_out_than_workers_can_soon_do(ended, monkeypatch):
    monkeypatch.setattr(results, "MOST_QUEUED", 2)
    first, second, third = (ended() for _ in range(3))
    now = timezone.now()

    assert due_readings(now) == [first.pk, second.pk]
    assert due_readings(now) == []
    ingest(first)
    assert due_readings(now) == [third.pk]


def test_batches_that_run_are_not_read(mirrored):
    batch = mirrored()

    assert due_readings(timezone.now()) == []
    assert not ingest(batch)
    assert not Ingestion.objects.exists()


def test_two_workers_never_read_one_file_at_once(ended, sandbox):
    batch = ended()
    assert Ingestion.objects.claim(batch, timezone.now())

    assert not ingest(batch)

    assert ("GET", f"/v1/messages/batches/{batch.api_id}/results") not in sandbox.calls


def test_a_killed_worker_s_file_is_taken_over_within_a_minute(ended):
    batch = ended()
    killed_at = timezone.now()
    # Killed in the middle of reading: the claim is all that is left of it.
    Ingestion.objects.claim(batch, killed_at)

    with time_machine.travel(killed_at + timedelta(seconds=59)):
        assert due_readings(timezone.now()) == [batch.pk]
        assert ingest(batch)


def test_a_worker_that_was_overtaken_writes_nothing(ended, monkeypatch):
    batch = ended(requests=30)
    check = results._check

    def overtaken(batch, tally):
        check(batch, tally)
        Ingestion.objects.update(claim="somebody else's")

    monkeypatch.setattr(results, "_check", overtaken)

    assert not ingest(batch)

    assert not BatchUsage.objects.exists()
    assert Ingestion.objects.get().claim == "somebody else's"


def test_a_long_reading_says_now_and_then_that_it_lives(answering, monkeypatch):
    monkeypatch.setattr(results, "BEAT_SECONDS", 0.0)
    seen = []

    def pieces():
        yield SUCCEEDED + b"\n"
        seen.append(Ingestion.objects.get().claimed_until)
        yield SUCCEEDED + b"\n"
        seen.append(Ingestion.objects.get().claimed_until)
        yield SUCCEEDED

    batch = answering(pieces(), requests=3)

    assert ingest(batch)
    assert seen[0] < seen[1]


def test_a_label_given_meanwhile_is_on_the_figures(ended, person, monkeypatch):
    batch = ended()
    check = results._check

    def labeled_meanwhile(batch, tally):
        check(batch, tally)
        label_batch(batch, Labels("eval", "ada"), actor=person("operator"), address="")

    monkeypatch.setattr(results, "_check", labeled_meanwhile)

    ingest(fresh(batch))

    assert set(BatchUsage.objects.values_list("label", "owner")) == {("eval", "ada")}


def test_the_mirror_hands_ended_batches_to_the_worker(ended):
    batch = ended()

    assert tasks.queue_due_work() == 1
    tasks.ingest_results.call(batch.pk)
    tasks.ingest_results.call(batch.pk)

    assert fresh(batch).results_state == "read"
    assert tasks.queue_due_work() == 0
