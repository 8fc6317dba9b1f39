"""The triggers that keep the audit append-only (docs/decisions/audit-append-only.md).

Django alters a table on SQLite by building a new one, and the old one's triggers go with it. A
migration that alters `batches_auditevent` therefore runs `install` as its last operation; a test
fails for one that doesn't.
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
POSTGRESQL = "audit_refuses"


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
        f"CREATE FUNCTION {POSTGRESQL}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    # Only a trigger for whole statements sees TRUNCATE. ON CONFLICT DO UPDATE fires it, too.
    schema_editor.execute(
        f"CREATE TRIGGER {POSTGRESQL} BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {POSTGRESQL}()"
    )
    # Without ALWAYS, a session with session_replication_role = replica would skip it.
    schema_editor.execute(f"ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER {POSTGRESQL}")


def remove(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001
    """Undo `install`, for a migration's way back."""
    if schema_editor.connection.vendor == "sqlite":
        for name in SQLITE:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
    else:
        schema_editor.execute(f"DROP FUNCTION IF EXISTS {POSTGRESQL}() CASCADE")
