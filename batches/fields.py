"""A text column that is unreadable without the keys in the environment."""

from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class WrongEncryptionKey(ImproperlyConfigured):
    """A stored secret cannot be read with any of the keys this process was given."""


def fernet() -> MultiFernet:
    """The newest key first: it encrypts, and every one of them decrypts.

    Raises ImproperlyConfigured when one is not a Fernet key.
    """
    try:
        return MultiFernet([Fernet(key) for key in settings.BATCHBOARD_ENCRYPTION_KEYS])
    except ValueError as error:
        raise ImproperlyConfigured(
            "BATCHBOARD_ENCRYPTION_KEYS holds something that is not a Fernet key "
            "(32 url-safe base64-encoded bytes)."
        ) from error


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Encrypts on the way in; raises WrongEncryptionKey rather than hand out ciphertext."""

    def get_prep_value(self, value: Any) -> Any:
        if not value:
            return ""
        return fernet().encrypt(str(value).encode()).decode()

    def from_db_value(
        self, value: str | None, expression: object, connection: BaseDatabaseWrapper
    ) -> str:
        if not value:
            return ""
        try:
            return fernet().decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise WrongEncryptionKey(
                "A stored API key cannot be decrypted with BATCHBOARD_ENCRYPTION_KEYS. "
                "Put the key it was stored with back into the list, after the newest."
            ) from error

    def get_lookup(self, lookup_name: str) -> Any:
        """Only emptiness can be asked for: equal secrets have different ciphertexts."""
        return super().get_lookup(lookup_name) if lookup_name in {"exact", "isnull"} else None
