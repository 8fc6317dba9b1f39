"""How the migrations change the events that earlier versions recorded."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.migrating import migrate, migrate_to_newest

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BEFORE = "0004_worker"
AFTER = "0006_audit_append_only"


@pytest.fixture
def old(transactional_db):
    """The models of the version before. At the end all migrations are applied again."""
    # Not in a transaction, as SQLite can't alter tables in one.
    yield migrate(BEFORE)
    migrate_to_newest()


def recorder(apps):
    """A function that records as the earlier version did, one second after the last event."""
    events = apps.get_model("batches", "AuditEvent").objects

    def record(action: str, api_id: str = "one", *, at=None, workspace_id: int = 1, **columns):
        moment = at or NOON + timedelta(seconds=events.count())
        return events.create(
            at=moment, action=action, batch_api_id=api_id, workspace_id=workspace_id, **columns
        )

    return record


def cancellation(apps, api_id: str, at: datetime):
    counts = ("processing", "succeeded", "errored", "canceled", "expired")
    return apps.get_model("batches", "Cancellation").objects.create(
        batch_api_id=api_id,
        workspace_name="Research",
        state="accepted",
        settled_at=at,
        requested_by_name="ada",
        requested_at=at,
        **{f"{name}_at_request": 0 for name in counts},
    )


def groups(api_id: str) -> list[tuple]:
    """Of each event of the batch, oldest first: action, cancellation, and whether it is a step."""
    from batches.models import AuditEvent

    events = AuditEvent.objects.filter(batch_api_id=api_id).order_by("pk")
    return list(events.values_list("action", "cancellation_id", "is_step"))


# One migration for all of them, because migrating there and back takes seconds.
def test_answers_become_steps_of_their_cancel_and_programs_differ_from_people(old):
    from batches.models import AuditEvent

    record = recorder(old)
    # Answers to two cancels of one batch.
    first = cancellation(old, "one", NOON)
    record("cancel requested", at=NOON)
    record("cancel refused")
    again = cancellation(old, "one", NOON + timedelta(hours=1))
    record("batch labeled")
    record("cancel requested", at=NOON + timedelta(hours=1))
    # Recorded by a worker whose clock is late.
    record("cancel accepted", at=NOON + timedelta(minutes=59))
    record("batch ended")
    # Batches with one ID in two workspaces.
    own = cancellation(old, "both", NOON)
    other = cancellation(old, "both", NOON + timedelta(seconds=1))
    record("cancel requested", "both", at=NOON, workspace_id=1)
    record("cancel requested", "both", at=NOON + timedelta(seconds=1), workspace_id=2)
    record("cancel accepted", "both", workspace_id=1)
    record("cancel accepted", "both", workspace_id=2)
    # An answer without a request.
    record("batch gone", "lone")
    # A person may be named as Anthropic is.
    record("cancel accepted", "named", actor="Anthropic")
    record("batch gone", "named", actor="Batchboard")
    record("batch labeled", "named", actor="Anthropic", actor_id=7)

    migrate(AFTER)

    assert groups("one") == [
        ("cancel requested", first.pk, False),
        ("cancel refused", first.pk, True),
        ("batch labeled", None, False),
        ("cancel requested", again.pk, False),
        ("cancel accepted", again.pk, True),
        ("batch ended", again.pk, True),
    ]
    assert groups("both") == [
        ("cancel requested", own.pk, False),
        ("cancel requested", other.pk, False),
        ("cancel accepted", own.pk, True),
        ("cancel accepted", other.pk, True),
    ]
    assert groups("lone") == [("batch gone", None, False)]
    kinds = AuditEvent.objects.filter(batch_api_id="named").order_by("pk")
    assert list(kinds.values_list("actor_kind", flat=True)) == ["anthropic", "batchboard", "person"]


def test_reversing_the_migration_removes_the_triggers(old):
    migrate(AFTER)
    events = migrate(BEFORE).get_model("batches", "AuditEvent").objects
    event = events.create(at=NOON, action="cancel requested")

    events.filter(pk=event.pk).update(actor="ada")

    assert events.get().actor == "ada"
