"""The web site's own tables: sessions, password links and what people prefer."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models


class Session(AbstractBaseSession):
    """A browser's session. Its user is a column, so that sessions can be listed and ended."""

    # Not a foreign key: saving a session must not fail because its user was just deleted.
    user_id = models.IntegerField(null=True, db_index=True)
    address = models.CharField(max_length=45, blank=True)
    # The User-Agent header, cut to fit.
    browser = models.CharField(max_length=200, blank=True)
    signed_in_at = models.DateTimeField(null=True)

    @classmethod
    def get_session_store_class(cls) -> Any:
        return import_module(settings.SESSION_ENGINE).SessionStore


class PasswordLink(models.Model):
    """Records that a person has a link to set their password. The link itself is not stored."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="password_link",
    )
    valid_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"until {self.valid_until:%F %T}"


class Preferences(models.Model):
    """How a person wants pages to look, in all their browsers."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="preferences",
    )
    # An IANA name, "browser" for that of each browser, or empty for UTC alone.
    time_zone = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return self.time_zone or "UTC"
