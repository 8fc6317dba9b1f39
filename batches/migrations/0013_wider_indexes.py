"""Indexes from which the list's orders and counts, and the kinds of failed requests, are read alone."""

from django.db import migrations, models

SELECTED_BY = ("workspace", "outcome", "is_active", "processing_status", "twin_of")
ORDERS = ("requests", "active_order", "length_order", "expiry_order", "cost_order")


class Migration(migrations.Migration):
    dependencies = [("batches", "0012_resubmits")]

    operations = [
        migrations.RemoveIndex("Batch", "batch_newest"),
        *(migrations.RemoveIndex("Batch", f"batch_{column}") for column in ORDERS),
        *(
            migrations.AddIndex(
                "Batch",
                models.Index(fields=[column, "id", *SELECTED_BY], name=f"batch_{column}"),
            )
            for column in ("created_at", *ORDERS)
        ),
        migrations.RemoveIndex("Batch", "batch_tallies"),
        migrations.AddIndex(
            "Batch",
            models.Index(
                fields=[
                    *("workspace", "is_active", "processing_status", "outcome"),
                    *("ended_at", "processing", "created_at", "results_state", "unknown_lines"),
                    *("label", "owner"),
                ],
                name="batch_tallies",
            ),
        ),
        migrations.RemoveIndex("FailedRequest", "failed_kind"),
        migrations.AddIndex(
            "FailedRequest",
            models.Index(
                fields=["batch", "outcome", "error_type", "message", "id"], name="failed_kinds"
            ),
        ),
    ]
