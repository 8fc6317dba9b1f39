import django.db.models.functions.comparison
from django.db import migrations, models

UNFINISHED = ("max_tokens", "pause_turn", "model_context_window_exceeded", "compaction")


def mark_outdated(apps, schema_editor):
    """Readings until now knew neither passes nor tiers: what used anything is to be read again."""
    apps.get_model("batches", "BatchUsage").objects.update(uses=models.F("requests"))
    read = apps.get_model("batches", "Batch").objects.filter(results_state="read")
    read.filter(succeeded__gt=0).update(results_state="outdated")


def count_in_batches(apps, schema_editor):
    """What readings counted so far is now in the batches' own columns as well."""
    batches = apps.get_model("batches", "Batch").objects
    ingestions = apps.get_model("batches", "Ingestion").objects.exclude(ingested_at=None)
    for pk, odd, reasons in ingestions.values_list("pk", "odd_lines", "stop_reasons").iterator():
        unfinished = sum(reasons.get(reason, 0) for reason in UNFINISHED)
        refused = reasons.get("refusal", 0)
        if odd or unfinished or refused:
            batches.filter(pk=pk).update(
                unknown_lines=odd, unfinished=unfinished, refused=refused
            )


class Migration(migrations.Migration):

    dependencies = [
        ('batches', '0007_key_hints'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='batchusage',
            name='one_usage_row_per_price',
        ),
        migrations.RemoveIndex(
            model_name='batch',
            name='batch_spend',
        ),
        migrations.RemoveIndex(
            model_name='batchusage',
            name='usage_spend',
        ),
        migrations.AddField(
            model_name='batch',
            name='refused',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='batch',
            name='unfinished',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='batch',
            name='unknown_lines',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='batchusage',
            name='part',
            field=models.CharField(choices=[('message', 'message'), ('compaction', 'compaction'), ('advisor', 'advisor')], db_default='message', default='message', max_length=10),
        ),
        migrations.AddField(
            model_name='batchusage',
            name='tier',
            field=models.CharField(db_default='batch', default='batch', max_length=40),
        ),
        migrations.AddField(
            model_name='batchusage',
            name='unpriced_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=200),
        ),
        migrations.AddField(
            model_name='batchusage',
            name='uses',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='ingestion',
            name='repeated_lines',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='batch',
            name='results_state',
            field=models.CharField(choices=[('pending', 'results not read yet'), ('read', 'results read'), ('outdated', 'results read by an older version'), ('unreadable', 'results unreadable'), ('lost', 'results lost')], db_default='pending', default='pending', max_length=10),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(fields=['workspace', 'created_at', 'results_state', 'unknown_lines', 'is_active', 'outcome', 'label', 'owner'], name='batch_spend'),
        ),
        migrations.AddIndex(
            model_name='batchusage',
            index=models.Index(fields=['workspace', 'day', 'model', 'prompt_over', 'prompt_up_to', 'inference_geo', 'tier', 'unpriced_by', 'part', 'is_canceled', 'label', 'owner', 'requests', 'input_tokens', 'output_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens', 'cache_read_tokens', 'web_searches'], name='usage_spend'),
        ),
        migrations.AddConstraint(
            model_name='batchusage',
            constraint=models.UniqueConstraint(models.F('batch'), models.F('model'), models.F('prompt_over'), django.db.models.functions.comparison.Coalesce('prompt_up_to', 0), models.F('inference_geo'), models.F('tier'), models.F('part'), models.F('unpriced_by'), name='one_usage_row_per_price'),
        ),
        migrations.RunPython(mark_outdated, migrations.RunPython.noop),
        migrations.RunPython(count_in_batches, migrations.RunPython.noop),
    ]
