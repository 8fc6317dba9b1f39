"""The pages of people as an admin uses them."""

import re
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q
from django.test import Client
from django.urls import reverse

from batches.models import AuditEvent


def add(admin: Client, **fields: Any):
    """Sends the form that adds a person: a viewer named ada, in no workspace."""
    return admin.post(reverse("person-add"), {"username": "ada", "role": "viewer"} | fields)


def shown(admin: Client, person: User) -> dict[str, Any]:
    """The fields of a person's form as the page shows them, with its version."""
    page = admin.get(reverse("person-edit", args=[person.pk]))
    form = page.context["form"]
    fields = {name: form[name].value() for name in form.fields}
    return fields | {"version": version_in(page.text)}


def version_in(page: str) -> str:
    """Which state of the person the page's form was made of."""
    return re.search(r'name="version" value="(\w+)"', page)[1]


def edit(admin: Client, person: User, **changes: Any):
    """Opens a person's page, changes some fields and saves."""
    fields = shown(admin, person) | changes
    return admin.post(reverse("person-edit", args=[person.pk]), fields)


def events(*actions: str) -> list[tuple[str, str, str, str]]:
    """Action, person, workspace and outcome of each event, oldest first.

    Without `actions`, every change of a person: neither sign-ins nor refused actions.
    """
    changes = Q(action__in=actions)
    if not actions:
        changes = Q(action__regex="^(person|member|password|sessions) ")
    found = AuditEvent.objects.filter(changes).order_by("pk")
    return list(found.values_list("action", "person", "workspace", "outcome"))


def roles_of(person: User) -> list[str]:
    return sorted(person.groups.values_list("name", flat=True))
