"""Uses the pages of people as an admin does."""

import re
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q
from django.test import Client
from django.urls import reverse

from batches.models import AuditEvent


def add(admin: Client, **fields: Any):
    """Send the form that adds a person, by default a viewer named ada without a workspace."""
    return admin.post(reverse("person-add"), {"username": "ada", "role": "viewer"} | fields)


def shown(admin: Client, person: User) -> dict[str, Any]:
    """The values of a person's form, with its version."""
    page = admin.get(reverse("person-edit", args=[person.pk]))
    form = page.context["form"]
    fields = {name: form[name].value() for name in form.fields}
    return fields | {"version": version_in(page.text)}


def version_in(page: str) -> str:
    """The version of the person that the page's form shows."""
    return re.search(r'name="version" value="(\w+)"', page)[1]


def edit(admin: Client, person: User, **changes: Any):
    """Open a person's page, change some fields and save."""
    fields = shown(admin, person) | changes
    return admin.post(reverse("person-edit", args=[person.pk]), fields)


def events(*actions: str) -> list[tuple[str, str, str, str]]:
    """Action, person, workspace and outcome of the events with these actions, oldest first.

    Without `actions`, those of all changes of people, but not sign-ins and refused actions.
    """
    changes = Q(action__in=actions)
    if not actions:
        changes = Q(action__regex="^(person|member|password|sessions) ")
    found = AuditEvent.objects.filter(changes).order_by("pk")
    return list(found.values_list("action", "person", "workspace", "outcome"))


def roles_of(person: User) -> list[str]:
    return sorted(person.groups.values_list("name", flat=True))
