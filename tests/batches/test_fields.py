import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from batches.fields import WrongEncryptionKey
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


def test_a_wrong_key_is_a_loud_error_and_never_ciphertext(stored, settings):
    settings.BATCHBOARD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(WrongEncryptionKey, match="BATCHBOARD_ENCRYPTION_KEYS"):
        Workspace.objects.get()


def test_what_is_no_fernet_key_is_named(stored, settings):
    settings.BATCHBOARD_ENCRYPTION_KEYS = ["hunter2"]

    with pytest.raises(ImproperlyConfigured, match="not a Fernet key"):
        Workspace.objects.get()
