"""Django's flush, which empties the tables after each test that commits.

The audit's triggers refuse that, as they should; here alone they are lifted for a moment.
"""

from typing import Any

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
