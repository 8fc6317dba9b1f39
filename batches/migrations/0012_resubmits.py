"""A batch may name an earlier one, whose requests it sends again."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("batches", "0011_list_orders")]

    operations = [
        migrations.AddField(
            "batch",
            "resubmits",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="resubmissions",
                to="batches.batch",
            ),
        ),
    ]
