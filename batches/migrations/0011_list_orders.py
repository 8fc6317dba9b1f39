"""Columns and indexes to sort lists by, and to count filtered lists from an index."""

from datetime import UTC, datetime, timedelta

from django.db import migrations, models
from django.db.models import Q

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
ACTIVE_FIRST = 10**18
COST_DUE = -2
READ_STATES = ("read", "outdated")
# Rows in one statement.
BLOCK = 1000
READ = (
    *("is_active", "created_at", "expires_at", "ended_at", "results_state"),
    *("processing", "succeeded", "errored", "canceled", "expired"),
)
WRITTEN = ("requests", "active_order", "length_order", "expiry_order", "cost_order")


def fill(apps, schema_editor):
    """Fill the columns as `batches.models.batch.derived` did when this was written."""
    Batch = apps.get_model("batches", "Batch")
    table = schema_editor.quote_name(Batch._meta.db_table)
    names = ", ".join(f"{schema_editor.quote_name(name)} = %s" for name in WRITTEN)
    update = f"UPDATE {table} SET {names} WHERE id = %s"
    last = 0
    while rows := list(Batch.objects.filter(pk__gt=last).order_by("pk").only(*READ)[:BLOCK]):
        with schema_editor.connection.cursor() as cursor:
            cursor.executemany(update, [(*values(row), row.pk) for row in rows])
        last = rows[-1].pk


def values(row):
    """The values of WRITTEN. The worker computes costs that are due."""
    created = (row.created_at - EPOCH) // MICROSECOND
    requests = row.processing + row.succeeded + row.errored + row.canceled + row.expired
    cost = COST_DUE if row.results_state in READ_STATES else -1
    if row.is_active:
        expires = (row.expires_at - EPOCH) // MICROSECOND
        orders = ACTIVE_FIRST + created, ACTIVE_FIRST - created, ACTIVE_FIRST - expires
    else:
        took = (row.ended_at - row.created_at) // MICROSECOND if row.ended_at else -1
        orders = created, max(0, took) if row.ended_at else -1, created
    return requests, *orders, cost


class Migration(migrations.Migration):
    dependencies = [("batches", "0010_reading")]

    operations = [
        migrations.RemoveIndex("Batch", "batch_active"),
        migrations.RemoveIndex("Batch", "batch_workspace_active"),
        migrations.RemoveIndex("Batch", "batch_label"),
        migrations.RemoveIndex("Batch", "batch_owner"),
        migrations.RemoveIndex("Batch", "batch_spend"),
        migrations.RemoveIndex("BatchUsage", "usage_model"),
        migrations.AddField(
            "Chore",
            "remembered",
            models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            "Batch", "requests", models.PositiveBigIntegerField(db_default=0, default=0)
        ),
        *(
            migrations.AddField(
                "Batch", f"{name}_order", models.BigIntegerField(db_default=0, default=0)
            )
            for name in ("active", "length", "expiry")
        ),
        migrations.AddField(
            "Batch", "cost_order", models.BigIntegerField(db_default=-1, default=-1)
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        *(
            migrations.AddIndex(
                "Batch", models.Index(fields=[column, "id"], name=f"batch_{column}")
            )
            for column in WRITTEN
        ),
        *(
            migrations.AddIndex(
                "Batch",
                models.Index(
                    fields=[name, "workspace"], name=f"batch_{name}", condition=~Q(**{name: ""})
                ),
            )
            for name in ("label", "owner")
        ),
        migrations.AddIndex(
            "Batch", models.Index(fields=["id"], name="batch_noted", condition=~Q(note=""))
        ),
        migrations.AddIndex(
            "Batch",
            models.Index(
                fields=[
                    *("workspace", "created_at", "results_state", "unknown_lines"),
                    *("is_active", "processing_status", "outcome", "label", "owner"),
                ],
                name="batch_spend",
            ),
        ),
        migrations.AddIndex(
            "BatchUsage",
            models.Index(fields=["model", "batch", "workspace"], name="usage_model"),
        ),
    ]
