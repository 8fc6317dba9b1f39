import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from batches.models import Workspace


@pytest.fixture
def stored(db):
    return Workspace.objects.create(name="A", slug="a", api_key="sk-ant-secret")


def test_a_key_is_unreadable_in_the_database_and_readable_through_the_model(stored):
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key FROM batches_workspace")
        [[ciphertext]] = cursor.fetchall()

    assert "sk-ant" not in ciphertext
    assert Workspace.objects.get().api_key == "sk-ant-secret"


def test_an_older_key_still_reads_after_rotation(stored, settings):
    settings.BATCHBOARD_ENCRYPTION_KEYS = [
        Fernet.generate_key().decode(),
        *settings.BATCHBOARD_ENCRYPTION_KEYS,
    ]

    assert Workspace.objects.get().api_key == "sk-ant-secret"


def test_with_a_wrong_key_the_row_is_loaded_without_the_secret(stored, settings):
    settings.BATCHBOARD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    row = Workspace.objects.get()

    assert (row.name, row.api_key) == ("A", "")
    assert row.has_undecryptable_secret


def test_saving_a_row_that_cannot_be_decrypted_keeps_the_secret(stored, settings):
    right = settings.BATCHBOARD_ENCRYPTION_KEYS
    settings.BATCHBOARD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    row = Workspace.objects.get()
    row.name = "B"

    row.save()

    settings.BATCHBOARD_ENCRYPTION_KEYS = right
    assert Workspace.objects.get().api_key == "sk-ant-secret"


def test_a_new_key_can_be_stored_over_one_that_cannot_be_decrypted(stored, settings):
    settings.BATCHBOARD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    row = Workspace.objects.get()
    row.api_key = "sk-ant-new"

    row.save()

    assert Workspace.objects.get().api_key == "sk-ant-new"


def test_a_key_that_is_no_fernet_key_is_an_error(stored, settings):
    settings.BATCHBOARD_ENCRYPTION_KEYS = ["hunter2"]

    with pytest.raises(ImproperlyConfigured, match="not a Fernet key"):
        Workspace.objects.get()
