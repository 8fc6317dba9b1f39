"""The database itself refuses to change or delete audit events."""

import pytest
from django.core import serializers
from django.core.management import CommandError, call_command
from django.core.management.commands import flush
from django.db import IntegrityError, connection, transaction

from batches.models import AuditEvent
from batches.models.audit import AuditIsAppendOnly
from batches.models.audit_triggers import MESSAGE, TABLE

# An event for attempts to replace one.
COLUMNS = (
    "at, actor, action, actor_kind, address, person, workspace, batch_api_id, is_step, reason,"
    " outcome, request_id"
)
VALUES = (
    "'2026-11-24 00:00:00+00', 'mallory', 'signed in', 'person', '', '', '', '', FALSE, '', '', ''"
)


@pytest.fixture
def event(person) -> AuditEvent:
    return AuditEvent.record(AuditEvent.Action.SIGNED_IN, actor=person(name="ada"))


@pytest.fixture
def refused(event):
    """A function that runs an attempt and expects the database to refuse it.

    At the end the event must be unchanged, and another one is recorded.
    """

    def refused(attempt) -> None:
        with pytest.raises(IntegrityError, match=MESSAGE), transaction.atomic():
            attempt()

    yield refused

    [kept] = AuditEvent.objects.values()
    assert kept == {name: getattr(event, name) for name in kept}
    AuditEvent.record(AuditEvent.Action.SIGNED_OUT)
    assert AuditEvent.objects.count() == 2


def execute(statement: str, *values) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_the_model_refuses_to_change_an_event(event):
    event.actor = "mallory"

    with pytest.raises(AuditIsAppendOnly):
        event.save()
    with pytest.raises(AuditIsAppendOnly):
        AuditEvent.objects.update(actor="mallory")
    with pytest.raises(AuditIsAppendOnly):
        AuditEvent.objects.bulk_update([event], ["actor"])
    assert AuditEvent.objects.get().actor == "ada"


def test_the_model_refuses_to_delete_an_event(event):
    with pytest.raises(AuditIsAppendOnly):
        event.delete()
    with pytest.raises(AuditIsAppendOnly):
        AuditEvent.objects.all().delete()
    assert AuditEvent.objects.count() == 1


def test_sql_cannot_change_an_event(refused, event):
    refused(lambda: execute(f"UPDATE {TABLE} SET actor = 'mallory' WHERE id = %s", event.pk))


def test_sql_cannot_delete_an_event(refused, event):
    refused(lambda: execute(f"DELETE FROM {TABLE} WHERE id = %s", event.pk))


def test_sql_cannot_delete_every_event(refused):
    refused(lambda: execute(f"DELETE FROM {TABLE}"))


def test_an_upsert_cannot_change_an_event(refused, event):
    upsert = (
        f"INSERT INTO {TABLE} (id, {COLUMNS}) VALUES (%s, {VALUES}) "
        "ON CONFLICT (id) DO UPDATE SET actor = 'mallory'"
    )

    refused(lambda: execute(upsert, event.pk))


@pytest.mark.skipif(connection.vendor != "sqlite", reason="REPLACE is SQLite's")
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_a_replace_cannot_change_an_event(refused, event, recursive):
    replace = f"INSERT OR REPLACE INTO {TABLE} (id, {COLUMNS}) VALUES (%s, {VALUES})"
    execute(f"PRAGMA recursive_triggers = {recursive}")

    refused(lambda: execute(replace, event.pk))

    execute("PRAGMA recursive_triggers = OFF")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="TRUNCATE is PostgreSQL's")
def test_a_truncate_cannot_empty_the_audit(refused):
    refused(lambda: execute(f"TRUNCATE {TABLE} CASCADE"))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a setting of PostgreSQL's")
def test_a_session_that_says_it_is_a_replica_cannot_change_an_event(refused):
    def attempt() -> None:
        execute("SET LOCAL session_replication_role = replica")
        execute(f"UPDATE {TABLE} SET actor = 'mallory'")

    refused(attempt)


def test_djangos_ways_around_the_model_are_refused(refused, event):
    changed = AuditEvent(pk=event.pk, at=event.at, actor="mallory", action=event.action)
    everything = AuditEvent._base_manager.all()

    refused(lambda: everything.update(actor="mallory"))
    refused(everything.delete)
    refused(lambda: everything._raw_delete(everything.db))
    refused(changed.save)
    refused(lambda: changed.save_base(raw=True))
    refused(
        lambda: AuditEvent.objects.bulk_create(
            [changed], update_conflicts=True, unique_fields=["id"], update_fields=["actor"]
        )
    )


def test_the_triggers_exist_after_all_migrations(db):
    # A migration that alters the table on SQLite drops them and must install them again.
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE]
            )
        else:
            cursor.execute(
                "SELECT tgname || ' ' || tgenabled::text FROM pg_trigger"
                " WHERE tgrelid = %s::regclass AND NOT tgisinternal",
                [TABLE],
            )
        found = {name for (name,) in cursor.fetchall()}

    assert found == (
        {"audit_refuses_update", "audit_refuses_delete", "audit_refuses_replace"}
        if connection.vendor == "sqlite"
        else {"audit_refuses_change A", "audit_refuses_truncate A"}
    )


def test_djangos_flush_is_refused(refused):
    def attempt() -> None:
        with pytest.raises(CommandError) as error:
            call_command(flush.Command(), interactive=False, verbosity=0)
        raise error.value.__cause__

    refused(attempt)


def test_a_copy_of_the_audit_can_be_loaded(event):
    copy = AuditEvent(pk=event.pk + 1, at=event.at, actor="bob", action=event.action)

    for loaded in serializers.deserialize("json", serializers.serialize("json", [copy])):
        loaded.save()

    assert AuditEvent.objects.get(pk=copy.pk).actor == "bob"


def test_deleting_person_workspace_and_batch_keeps_the_event(mirrored, person, workspace):
    batch, actor = mirrored(), person("operator", workspace, name="ada")
    AuditEvent.record(AuditEvent.Action.CANCEL_REQUESTED, actor=actor, batch=batch)

    workspace.delete()
    actor.delete()

    event = AuditEvent.objects.get()
    assert (event.actor, event.workspace, event.batch_api_id) == ("ada", "Research", batch.api_id)
