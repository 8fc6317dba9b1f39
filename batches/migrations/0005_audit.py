from django.db import migrations, models

STEPS = ("cancel accepted", "cancel refused", "cancel overtaken", "batch ended", "batch gone")


def tell_actors_apart(apps, schema_editor):
    """Until now Anthropic and Batchboard were recorded like people of these names."""
    events = apps.get_model("batches", "AuditEvent").objects.filter(actor_id=None)
    events.filter(actor="Anthropic").update(actor_kind="anthropic")
    events.filter(actor="Batchboard").update(actor_kind="batchboard")


def group_cancellations(apps, schema_editor):
    """Give the request of each cancellation its number, and those of its answers that follow."""
    events = apps.get_model("batches", "AuditEvent").objects.order_by()
    for number, (request, *answers) in cancellations(apps):
        events.filter(pk__in=[request, *answers]).update(cancellation_id=number)
        events.filter(pk__in=answers).update(is_step=True)


def cancellations(apps):
    """Number and events of each cancellation whose request was recorded, the request first."""
    numbers = {
        (api_id, requested_at): pk
        for api_id, requested_at, pk in apps.get_model("batches", "Cancellation")
        .objects.values_list("batch_api_id", "requested_at", "pk")
    }
    latest, found = {}, {}
    # By ID rather than time: processes' clocks differ.
    events = apps.get_model("batches", "AuditEvent").objects.order_by("pk")
    columns = ("pk", "action", "at", "workspace_id", "batch_api_id")
    for pk, action, at, *batch in events.filter(
        action__in=["cancel requested", *STEPS]
    ).values_list(*columns):
        if action == "cancel requested":
            latest[tuple(batch)] = numbers.get((batch[1], at))
        if number := latest.get(tuple(batch)):
            found.setdefault(number, []).append(pk)
    return found.items()


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
