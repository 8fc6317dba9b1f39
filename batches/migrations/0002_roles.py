from django.db import migrations

# Each role may do what the ones before it may, and more.
ROLES = {
    "viewer": [("batch", "view_batch", "Can view batch")],
    "operator": [
        ("batch", "cancel_batch", "Can cancel a batch"),
        ("batch", "label_batch", "Can set label, owner and note"),
    ],
    "lead": [
        ("batch", "view_spend", "Can see spend"),
        ("batch", "export_batches", "Can export lists"),
        ("auditevent", "view_auditevent", "Can view audit event"),
    ],
    "admin": [
        ("workspace", "view_workspace", "Can view workspace"),
        ("workspace", "add_workspace", "Can add workspace"),
        ("workspace", "change_workspace", "Can change workspace"),
        ("workspace", "delete_workspace", "Can delete workspace"),
    ],
}


def make_roles(apps, schema_editor):
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    Group = apps.get_model("auth", "Group")
    held = []
    for role, permissions in ROLES.items():
        for model, codename, name in permissions:
            content_type, _ = ContentType.objects.get_or_create(app_label="batches", model=model)
            # Permissions are otherwise made after the last migration, too late for this one.
            permission, _ = Permission.objects.get_or_create(
                content_type=content_type, codename=codename, defaults={"name": name}
            )
            held.append(permission)
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.add(*held)


def start_counting(apps, schema_editor):
    apps.get_model("batches", "Revision").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [
        ("batches", "0001_mirror"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [
        migrations.RunPython(start_counting, migrations.RunPython.noop),
        migrations.RunPython(make_roles, migrations.RunPython.noop),
    ]
