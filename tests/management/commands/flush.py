"""Django's flush, which empties the tables after each test that commits.

The audit's triggers refuse that, as they should; here alone they are lifted for a moment. What
migrations put into tables is put there again, for whichever test comes next: Django's own
`serialized_rollback` finds nothing to restore once Playwright's loop runs in this thread, as
connections are kept by task.
"""

from importlib import import_module
from typing import Any

from django.apps import apps
from django.core.management.commands import flush
from django.db import connections

from batches.models import audit_triggers


class Command(flush.Command):
    def handle(self, **options: Any) -> None:
        connection = connections[options["database"]]
        with connection.schema_editor() as editor:
            audit_triggers.remove(None, editor)
        super().handle(**options)
        with connection.schema_editor() as editor:
            audit_triggers.install(None, editor)
        roles = import_module("batches.migrations.0002_roles")
        roles.start_counting(apps, None)
        roles.make_roles(apps, None)
