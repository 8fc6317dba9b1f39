from django.db import migrations, models

from batches.models import audit_triggers


class Migration(migrations.Migration):

    dependencies = [
        ('batches', '0005_audit'),
    ]

    operations = [
        migrations.AlterField(
            model_name='auditevent',
            name='actor_id',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='person_id',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='workspace_id',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['workspace_id', 'id'], name='audit_workspace'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['action', 'id'], name='audit_action'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['actor_id', 'at'], name='audit_actor'),
        ),
        # Last: altering the table on SQLite loses its triggers.
        migrations.RunPython(audit_triggers.install, audit_triggers.remove),
    ]
