"""Moves the test database to an older version of the tables and back."""

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps


def migrate(name: str) -> StateApps:
    """The models as they are after this migration of `batches`."""
    executor = MigrationExecutor(connection)
    return executor.migrate([("batches", name)]).apps


def migrate_to_newest() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
