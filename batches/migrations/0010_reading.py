"""`Ingestion` is called `Reading`, as everywhere else."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batches", "0009_no_permissions")]

    operations = [
        migrations.RenameModel("Ingestion", "Reading"),
        migrations.RenameField("Reading", "ingested_at", "read_at"),
        migrations.AlterField(
            "Reading",
            "batch",
            models.OneToOneField(
                on_delete=models.CASCADE,
                primary_key=True,
                related_name="reading",
                serialize=False,
                to="batches.batch",
            ),
        ),
    ]
