"""A text column that is unreadable without the keys in the environment."""

from typing import Any, Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class Undecryptable(str):
    """Stands for a stored secret that none of this process's keys decrypts: an empty text.

    It keeps the ciphertext, so that saving the row writes back what was there.
    """

    ciphertext: str

    def __new__(cls, ciphertext: str) -> Self:
        made = super().__new__(cls)
        made.ciphertext = ciphertext
        return made


def is_undecryptable(value: object) -> bool:
    return isinstance(value, Undecryptable)


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
    """Encrypts on the way in, and never hands out ciphertext.

    What can't be decrypted is read as `Undecryptable`: one lost key must not keep other rows, or
    this row's other columns, from being read.
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
        """Only emptiness can be asked for: equal secrets have different ciphertexts."""
        return super().get_lookup(lookup_name) if lookup_name in {"exact", "isnull"} else None
