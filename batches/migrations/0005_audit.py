from django.db import migrations, models
from django.db.models import OuterRef

STEPS = ("cancel accepted", "cancel refused", "cancel overtaken", "batch ended", "batch gone")


def tell_actors_apart(apps, schema_editor):
    """Until now Anthropic and Batchboard were recorded like people of these names."""
    events = apps.get_model("batches", "AuditEvent").objects.filter(actor_id=None)
    events.filter(actor="Anthropic").update(actor_kind="anthropic")
    events.filter(actor="Batchboard").update(actor_kind="batchboard")


def group_cancellations(apps, schema_editor):
    """Give the request of each cancellation its number, and those of its answers that follow."""
    events = apps.get_model("batches", "AuditEvent").objects.order_by()
    cancellations = apps.get_model("batches", "Cancellation").objects.order_by()
    requests = events.filter(action="cancel requested")
    numbers = cancellations.values_list("batch_api_id", "requested_at", "pk")
    for api_id, requested_at, pk in numbers.iterator():
        requests.filter(batch_api_id=api_id, at=requested_at).update(cancellation_id=pk)
    # By ID rather than time: processes' clocks differ.
    before = requests.filter(
        batch_api_id=OuterRef("batch_api_id"),
        workspace_id=OuterRef("workspace_id"),
        pk__lt=OuterRef("pk"),
    )
    answers = events.filter(action__in=STEPS)
    answers.update(cancellation_id=before.order_by("-pk").values("cancellation_id")[:1])
    answers.exclude(cancellation_id=None).update(is_step=True)


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
