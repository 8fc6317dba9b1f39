from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('batches', '0006_audit_append_only'),
    ]

    # Keys that are stored already get no hint: decrypting them here could fail, and would then
    # keep every process from starting. Pages say that their age is unknown.
    operations = [
        migrations.AddField(
            model_name='workspace',
            name='key_hint',
            field=models.CharField(blank=True, editable=False, max_length=4),
        ),
        migrations.AddField(
            model_name='workspace',
            name='key_set_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='workspace',
            name='headers_set_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='workspace',
            name='base_url',
            field=models.CharField(default='https://api.anthropic.com', max_length=300),
        ),
        migrations.AlterField(
            model_name='workspace',
            name='anthropic_workspace_id',
            field=models.CharField(blank=True, max_length=100),
        ),
    ]
