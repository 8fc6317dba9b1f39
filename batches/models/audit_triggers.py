"""The triggers that keep the audit append-only (docs/decisions/audit-append-only.md).

To alter a table on SQLite, Django builds a new one and drops the old one with its triggers. So a
migration that alters `batches_auditevent` must run `install` as its last operation; a test fails
for one that doesn't.
"""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TABLE = "batches_auditevent"
MESSAGE = "Audit events are never changed or deleted"

SQLITE = {
    "audit_refuses_update": f"BEFORE UPDATE ON {TABLE}",
    "audit_refuses_delete": f"BEFORE DELETE ON {TABLE}",
    # REPLACE deletes a row without firing the trigger above, so refuse an ID that is taken.
    "audit_refuses_replace": (
        f"BEFORE INSERT ON {TABLE} WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)"  # noqa: S608
    ),
}
FUNCTION = "audit_refuses"
# By row, so that a statement that finds none does no harm: `loaddata` tries an UPDATE first.
POSTGRESQL = {
    "audit_refuses_change": f"BEFORE UPDATE OR DELETE ON {TABLE} FOR EACH ROW",
    "audit_refuses_truncate": f"BEFORE TRUNCATE ON {TABLE} FOR EACH STATEMENT",
}


def install(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the database refuse to change or delete audit events; safe to repeat."""
    remove(apps, schema_editor)
    if schema_editor.connection.vendor == "sqlite":
        for name, when in SQLITE.items():
            schema_editor.execute(
                f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
        return
    # The same class of error as on SQLite.
    schema_editor.execute(
        f"CREATE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for name, when in POSTGRESQL.items():
        schema_editor.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {FUNCTION}()")
        # Without ALWAYS, a session with session_replication_role = replica would skip it.
        schema_editor.execute(f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER {name}")


def remove(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001
    """Undo `install`, to reverse a migration."""
    if schema_editor.connection.vendor == "sqlite":
        for name in SQLITE:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
    else:
        schema_editor.execute(f"DROP FUNCTION IF EXISTS {FUNCTION}() CASCADE")
