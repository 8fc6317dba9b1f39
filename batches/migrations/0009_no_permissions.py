from importlib import import_module

from django.db import migrations, models

make_roles = import_module("batches.migrations.0002_roles").make_roles
ROLES = ("viewer", "operator", "lead", "admin")
CUSTOM = ("cancel_batch", "label_batch", "view_spend", "export_batches")


def remove_permissions(apps, schema_editor):
    """What a role allows is decided by its name alone (dashboard/access.py)."""
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    batchboards = Permission.objects.filter(content_type__app_label="batches")
    for group in Group.objects.filter(name__in=ROLES):
        group.permissions.remove(*batchboards)
    batchboards.filter(codename__in=CUSTOM).delete()


class Migration(migrations.Migration):

    dependencies = [
        ('batches', '0008_usage'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.AlterModelOptions(name='batch', options={}),
        # The help text alone, which changes nothing in the database.
        migrations.AlterField(
            model_name='batch',
            name='raw',
            field=models.JSONField(help_text='The batch as the API last returned it.'),
        ),
        migrations.RunPython(remove_permissions, make_roles),
    ]
