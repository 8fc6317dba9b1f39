"""A text column that is stored encrypted with BATCHBOARD_ENCRYPTION_KEYS."""

from typing import Any, Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class Undecryptable(str):
    """An empty text in place of a stored secret that none of this process's keys decrypts.

    It keeps the ciphertext, so that saving the row doesn't lose the secret.
    """

    ciphertext: str

    def __new__(cls, ciphertext: str) -> Self:
        made = super().__new__(cls)
        made.ciphertext = ciphertext
        return made


def is_undecryptable(value: object) -> bool:
    return isinstance(value, Undecryptable)


def fernet() -> MultiFernet:
    """Encrypts with the first of the keys, which is the newest, and decrypts with any of them.

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
    """Encrypts values when they are saved, and decrypts them when they are loaded.

    A value that can't be decrypted is loaded as `Undecryptable`, so that other rows, and the
    row's other columns, can still be read.
    """

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Undecryptable):
            return value.ciphertext
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
        except (InvalidToken, UnicodeError):
            return Undecryptable(value)

    def get_lookup(self, lookup_name: str) -> Any:
        """Only emptiness can be queried: equal texts are encrypted differently."""
        return super().get_lookup(lookup_name) if lookup_name in {"exact", "isnull"} else None
