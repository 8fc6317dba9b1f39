"""What happens to results that an earlier version has read."""

from datetime import UTC, datetime, timedelta

import pytest

from batches.models import Batch, Reading
from tests.migrating import migrate, migrate_to_newest

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
COUNTED = {"refusal": 1, "pause_turn": 2, "max_tokens": 1, "end_turn": 4}


@pytest.fixture
def read_before(transactional_db):
    """A reading by the version that knew neither passes nor tiers."""
    # Not in a transaction, as SQLite can't alter tables in one.
    models = migrate("0007_key_hints")
    workspace = models.get_model("batches", "Workspace").objects.create(name="R", slug="r")
    batch = models.get_model("batches", "Batch").objects.create(
        workspace=workspace,
        api_id="msgbatch_1",
        processing_status="ended",
        created_at=NOON,
        expires_at=NOON + timedelta(days=1),
        ended_at=NOON,
        raw={},
        outcome="some_failed",
        is_active=False,
        revision=1,
        first_revision=1,
        first_seen_at=NOON,
        changed_at=NOON,
        results_state="read",
        **dict.fromkeys(("processing", "errored", "canceled", "expired"), 0),
        succeeded=8,
    )
    models.get_model("batches", "Ingestion").objects.create(
        batch=batch, ingested_at=NOON, odd_lines=2, stop_reasons=COUNTED
    )
    yield
    migrate_to_newest()


def test_its_counts_are_kept_and_its_results_are_read_again(read_before):
    migrate_to_newest()

    batch = Batch.objects.get()
    assert (batch.unknown_lines, batch.unfinished, batch.refused) == (2, 3, 1)
    assert batch.results_state == "outdated"
    reading = Reading.objects.get()
    assert (reading.read_at, reading.odd_lines, reading.stop_reasons) == (NOON, 2, COUNTED)
