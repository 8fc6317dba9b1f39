from django.db import migrations, models

STEPS = ("cancel accepted", "cancel refused", "cancel overtaken", "batch ended", "batch gone")


def tell_actors_apart(apps, schema_editor):
    """Until now Anthropic and Batchboard were recorded like people of these names."""
    events = apps.get_model("batches", "AuditEvent").objects.filter(actor_id=None)
    events.filter(actor="Anthropic").update(actor_kind="anthropic")
    events.filter(actor="Batchboard").update(actor_kind="batchboard")


def group_cancellations(apps, schema_editor):
    """Give each event of a cancellation its number: those until the batch's next cancellation."""
    events = apps.get_model("batches", "AuditEvent").objects
    cancellations = apps.get_model("batches", "Cancellation").objects
    for cancellation in cancellations.order_by("requested_at", "id").iterator():
        mine = events.filter(
            batch_api_id=cancellation.batch_api_id,
            workspace=cancellation.workspace_name,
            at__gte=cancellation.requested_at,
        )
        mine.filter(action="cancel requested").update(cancellation_id=cancellation.pk)
        mine.filter(action__in=STEPS).update(cancellation_id=cancellation.pk, is_step=True)


class Migration(migrations.Migration):

    dependencies = [
        ('batches', '0004_worker'),
    ]

    operations = [
        migrations.AddField(
            model_name='auditevent',
            name='actor_kind',
            field=models.CharField(choices=[('person', 'person'), ('anthropic', 'Anthropic'), ('batchboard', 'Batchboard'), ('nobody', 'someone not signed in')], default='person', max_length=10),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='cancellation_id',
            field=models.BigIntegerField(db_index=True, null=True),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='is_step',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='person',
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='person_id',
            field=models.BigIntegerField(db_index=True, null=True),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='actor_id',
            field=models.BigIntegerField(db_index=True, null=True),
        ),
        migrations.RunPython(tell_actors_apart, migrations.RunPython.noop),
        migrations.RunPython(group_cancellations, migrations.RunPython.noop),
    ]
