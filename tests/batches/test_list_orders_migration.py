"""The columns by which lists are sorted, filled for the batches of earlier versions."""

from datetime import UTC, datetime, timedelta

import pytest

from batches.models import Batch
from batches.models.batch import COST_DUE, COST_UNKNOWN
from tests.migrating import migrate, migrate_to_newest

CREATED = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def before(transactional_db):
    """The models of the version before; at the end the database is brought up to date."""
    yield migrate("0010_reading")
    migrate_to_newest()


def test_every_batch_gets_what_the_models_derive(before):
    workspace = before.get_model("batches", "Workspace").objects.create(name="R", slug="r")
    batches = before.get_model("batches", "Batch")
    shared = {
        "workspace": workspace, "raw": {}, "revision": 1, "first_revision": 1,
        "created_at": CREATED, "expires_at": CREATED + timedelta(hours=24),
        "first_seen_at": CREATED, "changed_at": CREATED,
        "processing": 5, "succeeded": 4, "errored": 3, "canceled": 2, "expired": 1,
    }  # fmt: skip
    batches.objects.create(
        api_id="running", processing_status="in_progress", is_active=True, **shared
    )
    ended = {"processing_status": "ended", "is_active": False, "results_state": "read"}
    batches.objects.create(
        api_id="ended", ended_at=CREATED + timedelta(minutes=7), **shared, **ended
    )
    batches.objects.create(
        api_id="deleted",
        processing_status="in_progress",
        is_active=False,
        deleted_upstream_at=CREATED,
        **shared,
    )

    migrate_to_newest()

    columns = ("requests", "active_order", "length_order", "expiry_order")
    for batch in Batch.objects.all():
        filled = [getattr(batch, name) for name in columns]
        batch.derive()
        assert filled == [getattr(batch, name) for name in columns]
    costs = dict(Batch.objects.values_list("api_id", "cost_order"))
    assert costs == {"running": COST_UNKNOWN, "ended": COST_DUE, "deleted": COST_UNKNOWN}


def test_the_version_before_can_be_restored(before):
    migrate("0011_list_orders")

    old = migrate("0010_reading")

    assert not hasattr(old.get_model("batches", "Batch"), "cost_order")
