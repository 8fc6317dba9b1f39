"""The demo's two workspaces and its people, one per role."""

import json
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group, User

from batches import clock
from batches.mirror.workspaces import adopt_environment
from batches.models import Workspace
from batches.sandbox.app import KEYS
from dashboard.roles import ROLES

# Without letters and digits that look the same.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def prepare_demo(var: Path) -> dict[str, str]:
    """Creates or repairs the workspaces and people; returns a password for each role."""
    adopt_environment()
    Workspace.objects.filter(from_environment=True).update(name="Research", slug="research")
    research = Workspace.objects.get(from_environment=True)
    production = production_workspace()
    passwords = kept_passwords(var / "sign-ins.json")
    for role, password in passwords.items():
        person, _ = User.objects.get_or_create(username=role)
        # Someone may have changed the password, but the printed one must work.
        if not person.check_password(password):
            person.set_password(password)
            person.save(update_fields=["password"])
        if not person.is_active:
            person.is_active = True
            person.save(update_fields=["is_active"])
        person.groups.set([Group.objects.get(name=role)])
        person.workspaces.set([research, production])
    return passwords


def production_workspace() -> Workspace:
    workspace, _ = Workspace.objects.update_or_create(
        slug="production",
        defaults={
            "name": "Production",
            "base_url": settings.ANTHROPIC_BASE_URL,
            "is_enabled": True,
        },
    )
    key = list(KEYS)[1]
    if workspace.key != key:
        workspace.set_key(key, clock.now())
        workspace.save(update_fields=["api_key", "key_hint", "key_set_at"])
    return workspace


def kept_passwords(path: Path) -> dict[str, str]:
    """One password per role: generated at the first start, then read from `path`."""
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {role: str(kept[role]) for role in ROLES}
    made = {role: new_password() for role in ROLES}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(made, file, indent=2)
    return made


def new_password() -> str:
    """Fifteen random letters and digits in groups of three, about 74 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(3)) for _ in range(5))
