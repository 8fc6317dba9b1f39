"""The web site's own tables: who is signed in where, and which password links are open."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class Session(AbstractBaseSession):
    """One browser's session, with its owner, so that sessions can be listed and ended by person."""

    # Not a foreign key: writing a session must not fail because its person was just deleted.
    user_id = models.IntegerField(null=True, db_index=True)
    address = models.CharField(max_length=45, blank=True)
    # The User-Agent header, as far as it fits.
    browser = models.CharField(max_length=200, blank=True)
    signed_in_at = models.DateTimeField(null=True)

    @classmethod
    def get_session_store_class(cls) -> Any:
        return import_module(settings.SESSION_ENGINE).SessionStore


class PasswordLink(models.Model):
    """The one link by which a person may set a password. The link itself is stored nowhere."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="password_link",
    )
    valid_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"until {self.valid_until:%F %T}"
