"""Results read by an older version: their figures stand until they are read again."""

from datetime import timedelta
from importlib import import_module

import pytest
import time_machine
from django.apps import apps
from django.utils import timezone

from batches.models import Batch, BatchUsage
from batches.results.reading import due_readings, due_rereadings, mark_lost
from batches.spend.costs import cost_of
from tests.batches.results.files import fresh
from tests.working import read_now


@pytest.fixture
def outdated(mirrored):
    """A function that makes a batch whose reading lacks a half of what it used."""

    def outdated(**details) -> Batch:
        batch = mirrored(status="ended", requests=20, quirks=["passes"], **details)
        assert read_now(batch)
        BatchUsage.objects.filter(batch=batch).exclude(part="message").delete()
        Batch.objects.filter(pk=batch.pk).update(results_state="outdated")
        return fresh(batch)

    return outdated


def test_an_outdated_batch_shows_its_figures_and_is_due_apart_from_unread_ones(outdated):
    batch = outdated()

    assert cost_of(batch).state == "computed"
    assert list(due_rereadings(timezone.now())) == [batch]
    assert list(due_readings(timezone.now())) == []


def test_reading_it_again_brings_what_was_missing(outdated, sandbox):
    batch = outdated()
    before = cost_of(batch).total

    assert read_now(batch)

    batch = fresh(batch)
    assert batch.results_state == "read"
    assert before < cost_of(batch).total == sandbox.billed(batch.api_id)
    assert list(due_rereadings(timezone.now())) == []


def test_a_reading_that_fails_again_and_again_hides_no_figure(outdated, sandbox):
    batch = outdated()
    before = cost_of(batch).total
    sandbox.fail_next("short", times=9, path="/results")

    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(6):
            assert not read_now(batch)
            clock.shift(timedelta(hours=7))

    batch = fresh(batch)
    assert (batch.results_state, cost_of(batch).total) == ("outdated", before)


@pytest.mark.parametrize("gone", ["archived", "deleted", "expired"])
def test_results_that_are_gone_can_not_be_read_again_and_are_not_lost(outdated, gone):
    batch, now = outdated(), timezone.now()
    columns = {
        "archived": {"archived_at": now},
        "deleted": {"deleted_upstream_at": now},
        "expired": {"created_at": now - timedelta(days=29, seconds=1)},
    }
    Batch.objects.update(**columns[gone])

    mark_lost(now)

    assert list(due_rereadings(now)) == []
    assert fresh(batch).results_state == "outdated"


def test_the_migration_has_all_read_batches_that_used_anything_read_again(mirrored):
    migration = import_module("batches.migrations.0008_usage")
    used = mirrored(status="ended", requests=6)
    failed = mirrored(status="ended", errored=6)
    unread = mirrored(status="ended", requests=6)
    for batch in (used, failed):
        assert read_now(batch)
    BatchUsage.objects.update(uses=0)

    migration.mark_outdated(apps, None)

    states = [fresh(batch).results_state for batch in (used, failed, unread)]
    assert states == ["outdated", "read", "pending"]
    assert sum(row.uses for row in BatchUsage.objects.all()) == 6
