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


def groups() -> list[tuple]:
    """Of each event, oldest first: action, cancellation, and whether it is a step."""
    from batches.models import AuditEvent

    return list(
        AuditEvent.objects.order_by("pk").values_list("action", "cancellation_id", "is_step")
    )


def test_the_answers_to_a_cancel_become_its_steps(old):
    record = recorder(old)
    first = cancellation(old, "one", NOON)
    record("cancel requested", at=NOON)
    record("cancel refused")
    again = cancellation(old, "one", NOON + timedelta(hours=1))
    record("batch labeled")
    record("cancel requested", at=NOON + timedelta(hours=1))
    # Recorded by a worker whose clock is late.
    record("cancel accepted", at=NOON + timedelta(minutes=59))
    record("batch ended")

    migrate(AFTER)

    assert groups() == [
        ("cancel requested", first.pk, False),
        ("cancel refused", first.pk, True),
        ("batch labeled", None, False),
        ("cancel requested", again.pk, False),
        ("cancel accepted", again.pk, True),
        ("batch ended", again.pk, True),
    ]


def test_batches_with_one_id_in_two_workspaces_keep_their_own_events(old):
    record = recorder(old)
    first = cancellation(old, "one", NOON)
    other = cancellation(old, "one", NOON + timedelta(seconds=1))
    record("cancel requested", at=NOON, workspace_id=1)
    record("cancel requested", at=NOON + timedelta(seconds=1), workspace_id=2)
    record("cancel accepted", workspace_id=1)
    record("cancel accepted", workspace_id=2)

    migrate(AFTER)

    assert groups() == [
        ("cancel requested", first.pk, False),
        ("cancel requested", other.pk, False),
        ("cancel accepted", first.pk, True),
        ("cancel accepted", other.pk, True),
    ]


def test_an_answer_without_a_request_is_not_a_step(old):
    recorder(old)("batch gone")

    migrate(AFTER)

    assert groups() == [("batch gone", None, False)]


def test_anthropic_and_batchboard_differ_from_people_with_these_names(old):
    from batches.models import AuditEvent

    record = recorder(old)
    record("cancel accepted", actor="Anthropic")
    record("batch gone", actor="Batchboard")
    record("batch labeled", actor="Anthropic", actor_id=7)

    migrate(AFTER)

    kinds = AuditEvent.objects.order_by("pk").values_list("actor_kind", flat=True)
    assert list(kinds) == ["anthropic", "batchboard", "person"]


def test_reversing_the_migration_removes_the_triggers(old):
    migrate(AFTER)
    events = migrate(BEFORE).get_model("batches", "AuditEvent").objects
    event = events.create(at=NOON, action="cancel requested")

    events.filter(pk=event.pk).update(actor="ada")

    assert events.get().actor == "ada"
