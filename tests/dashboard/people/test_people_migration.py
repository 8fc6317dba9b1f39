"""The migration to Batchboard's own sessions removes Django's sessions and admin."""

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from tests.migrating import migrate_to_newest

OLD_TABLES = {
    "django_session": "session_key varchar(40) PRIMARY KEY, session_data text",
    "django_admin_log": (
        "id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user (id), "
        "content_type_id integer REFERENCES django_content_type (id)"
    ),
}


def remove_all() -> None:
    """Undo all of the dashboard's migrations."""
    MigrationExecutor(connection).migrate([("dashboard", None)])


@pytest.fixture
def before(committed, person):
    """A database of the previous version. Someone is signed in and has used Django's admin."""
    remove_all()
    user = person("admin")
    recorder = MigrationRecorder(connection)
    model = ContentType.objects.create(app_label="admin", model="logentry")
    Permission.objects.create(content_type=model, codename="view_logentry", name="view")
    user.user_permissions.add(Permission.objects.get(codename="view_logentry"))
    with connection.cursor() as cursor:
        for table, columns in OLD_TABLES.items():
            cursor.execute(f"CREATE TABLE {table} ({columns})")
        cursor.execute("INSERT INTO django_session VALUES ('live-key', 'data')")
        cursor.execute("INSERT INTO django_admin_log VALUES (1, %s, %s)", [user.pk, model.pk])
    for app in ("admin", "sessions"):
        recorder.record_applied(app, "0001_initial")
    yield
    with connection.cursor() as cursor:
        for table in OLD_TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")


def test_old_sessions_and_djangos_admin_leave_nothing_behind(before):
    migrate_to_newest()

    assert not set(OLD_TABLES) & set(connection.introspection.table_names())
    assert not ContentType.objects.filter(app_label__in=["admin", "sessions"]).exists()
    assert not Permission.objects.filter(codename="view_logentry").exists()
    applied = MigrationRecorder(connection).applied_migrations()
    assert not {app for app, _ in applied} & {"admin", "sessions"}
    assert User.objects.filter(username="admin").exists()


def test_a_new_installation_migrates_too(committed):
    remove_all()

    migrate_to_newest()

    assert "dashboard_session" in connection.introspection.table_names()
