import batches.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import OuterRef, Subquery


def copy(apps, schema_editor):
    """What a cancellation says of its batch, once the batch may be gone; and refused keys."""
    models = {name: apps.get_model("batches", name) for name in ("Batch", "Cancellation", "Workspace")}
    batch = models["Batch"].objects.filter(pk=OuterRef("batch"))
    models["Cancellation"].objects.update(
        batch_api_id=Subquery(batch.values("api_id")[:1]),
        workspace_name=Subquery(batch.values("workspace__name")[:1]),
    )
    models["Workspace"].objects.exclude(refused_key="").update(hold="refused")


def forget_queue(apps, schema_editor):
    """The queue that was used before; its package is no longer installed."""
    tables = schema_editor.connection.introspection.table_names()
    for table in ("django_tasks_db_dbtaskresult", "django_tasks_database_dbtaskresult"):
        if table in tables:
            schema_editor.execute(f"DROP TABLE {schema_editor.quote_name(table)}")
    MigrationRecorder(schema_editor.connection).migration_qs.filter(
        app__in=["django_tasks_db", "django_tasks_database"]
    ).delete()


class Migration(migrations.Migration):
    dependencies = [("batches", "0003_spend"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.RenameField("workspace", "lease", "claim"),
        migrations.RenameField("workspace", "leased_until", "claimed_until"),
        migrations.RenameField("workspace", "next_sync_at", "next_attempt_at"),
        migrations.RenameField("workspace", "failures", "attempts"),
        migrations.RenameField("workspace", "last_error", "error"),
        migrations.RenameField("workspace", "last_error_at", "error_at"),
        migrations.RenameField("workspace", "last_error_request_id", "request_id"),
        migrations.RenameField("workspace", "backfill_after_id", "listing_after_id"),
        migrations.RenameField("costreport", "next_at", "next_attempt_at"),
        migrations.RenameField("costreport", "failures", "attempts"),
        migrations.RenameField("ingestion", "attempts", "unreadable_attempts"),
        migrations.CreateModel(
            name='Chore',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('claim', models.CharField(blank=True, editable=False, max_length=64)),
                ('claimed_until', models.DateTimeField(editable=False, null=True)),
                ('next_attempt_at', models.DateTimeField(editable=False, null=True)),
                ('stamped_at', models.DateTimeField(editable=False, null=True)),
                ('attempts', models.PositiveIntegerField(default=0, editable=False)),
                ('error', models.TextField(blank=True, editable=False)),
                ('error_at', models.DateTimeField(editable=False, null=True)),
                ('request_id', models.CharField(blank=True, editable=False, max_length=200)),
                ('name', models.CharField(max_length=40, unique=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='WorkerProcess',
            fields=[
                ('name', models.CharField(max_length=12, primary_key=True, serialize=False)),
                ('place', models.CharField(max_length=200)),
                ('pid', models.PositiveIntegerField()),
                ('process_started', models.CharField(blank=True, max_length=40)),
                ('kinds', models.CharField(max_length=200)),
                ('started_at', models.DateTimeField()),
                ('seen_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveIndex(
            model_name='cancellation',
            name='cancellation_open',
        ),
        migrations.RemoveField(
            model_name='costreport',
            name='queued_at',
        ),
        migrations.RemoveField(
            model_name='ingestion',
            name='queued_at',
        ),
        migrations.AddField(
            model_name='batch',
            name='twin_of',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='cancellation',
            name='batch_api_id',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='cancellation',
            name='claim',
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='cancellation',
            name='error_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='cancellation',
            name='stamped_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='cancellation',
            name='workspace_name',
            field=models.CharField(blank=True, max_length=100),
        ),
        migrations.AddField(
            model_name='costreport',
            name='claim',
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name='costreport',
            name='stamped_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='ingestion',
            name='attempts',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='ingestion',
            name='stamped_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='workspace',
            name='extra_headers',
            field=batches.fields.EncryptedTextField(blank=True, editable=False),
        ),
        migrations.AddField(
            model_name='workspace',
            name='has_twins',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='workspace',
            name='hold',
            field=models.CharField(blank=True, choices=[('refused', 'Anthropic refuses the key'), ('foreign', 'the key belongs to another Anthropic workspace')], editable=False, max_length=10),
        ),
        migrations.AddField(
            model_name='workspace',
            name='list_accepted_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='workspace',
            name='listing_began_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='workspace',
            name='listing_bytes',
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='workspace',
            name='listing_failures',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='workspace',
            name='listing_next_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='workspace',
            name='listing_reached_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='workspace',
            name='stamped_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='batch',
            name='api_id',
            field=models.CharField(max_length=200),
        ),
        migrations.AlterField(
            model_name='cancellation',
            name='attempts',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AlterField(
            model_name='cancellation',
            name='batch',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='cancellations', to='batches.batch'),
        ),
        migrations.AlterField(
            model_name='cancellation',
            name='claimed_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='cancellation',
            name='error',
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AlterField(
            model_name='cancellation',
            name='next_attempt_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='cancellation',
            name='request_id',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.AlterField(
            model_name='cancellation',
            name='state',
            field=models.CharField(choices=[('requested', 'cancel requested, not confirmed yet'), ('accepted', 'accepted by the API'), ('refused', 'refused by the API'), ('overtaken', 'the batch finished before the cancel took effect')], default='requested', max_length=10),
        ),
        migrations.AlterField(
            model_name='costreport',
            name='attempts',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AlterField(
            model_name='costreport',
            name='claimed_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='costreport',
            name='error',
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AlterField(
            model_name='costreport',
            name='error_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='costreport',
            name='next_attempt_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='costreport',
            name='request_id',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.AlterField(
            model_name='ingestion',
            name='claim',
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AlterField(
            model_name='ingestion',
            name='claimed_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='ingestion',
            name='error',
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AlterField(
            model_name='ingestion',
            name='error_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='ingestion',
            name='next_attempt_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='ingestion',
            name='request_id',
            field=models.CharField(blank=True, editable=False, max_length=200),
        ),
        migrations.AlterField(
            model_name='workspace',
            name='claim',
            field=models.CharField(blank=True, editable=False, max_length=64),
        ),
        migrations.AddIndex(
            model_name='cancellation',
            index=models.Index(fields=['state', 'next_attempt_at'], name='cancellation_state'),
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.UniqueConstraint(fields=('api_id', 'workspace'), name='one_row_per_workspace'),
        ),
        migrations.RemoveField(
            model_name='cancellation',
            name='queued_at',
        ),
        migrations.RunPython(copy, migrations.RunPython.noop),
        migrations.RemoveField(
            model_name='workspace',
            name='refused_key',
        ),
        migrations.RunPython(forget_queue, migrations.RunPython.noop),
    ]
