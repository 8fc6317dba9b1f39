"""Roles once held Django permissions that nothing asked for."""

import pytest
from django.contrib.auth.models import Group, Permission

from tests.migrating import migrate, migrate_to_newest

ROLES = {"viewer", "operator", "lead", "admin"}


@pytest.fixture
def before(transactional_db):
    """A database of the version before; at the end it is brought up to date."""
    migrate("0008_usage")
    yield
    migrate_to_newest()


def test_the_roles_stay_without_their_permissions(before):
    assert Permission.objects.filter(group__name="operator", codename="cancel_batch").exists()
    others = Group.objects.create(name="auditors")
    others.permissions.add(Permission.objects.get(codename="view_batch"))

    migrate("0009_no_permissions")

    assert set(Group.objects.values_list("name", flat=True)) == {*ROLES, "auditors"}
    assert not Permission.objects.filter(group__name__in=ROLES).exists()
    assert not Permission.objects.filter(codename="cancel_batch").exists()
    assert others.permissions.get().codename == "view_batch"


def test_the_version_before_gets_its_permissions_back(before):
    migrate("0009_no_permissions")

    migrate("0008_usage")

    held = Permission.objects.filter(group__name="operator").values_list("codename", flat=True)
    assert set(held) == {"view_batch", "cancel_batch", "label_batch"}
