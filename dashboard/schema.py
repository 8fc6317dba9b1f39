"""Whether the database's migrations match this version of Batchboard."""

from django.apps import apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader


def schema_problem() -> str:
    """Why the database does not match this version, as text for a person; empty when it does.

    Raises django.db.Error when the database does not answer.
    """
    loader = MigrationLoader(connection)
    if unknown := unknown_migrations(loader):
        return f"the database is from a newer version (migration {unknown[0]} is unknown here)"
    applied = loader.applied_migrations
    missing = sorted(
        name
        for app, name in loader.graph.nodes
        if (app, name) not in applied and app in loader.migrated_apps
    )
    return f"migration {missing[0]} is not applied" if missing else ""


def unknown_migrations(loader: MigrationLoader) -> list[str]:
    """Applied migrations of Batchboard's own apps that this version does not have.

    Migrations of other packages don't count: they may drop old ones when they squash them.
    """
    own = {config.label for config in apps.get_app_configs() if is_own(config.name)}
    known = set(loader.disk_migrations)
    for migration in loader.disk_migrations.values():
        known.update(migration.replaces)
    return sorted(
        name
        for app, name in loader.applied_migrations
        if app in own & loader.migrated_apps and (app, name) not in known
    )


def is_own(package: str) -> bool:
    return package.partition(".")[0] in {"batches", "dashboard"}
