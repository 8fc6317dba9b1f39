"""The web site's own tables: sessions, password links, API tokens and what people prefer."""

from datetime import datetime
from importlib import import_module
from typing import Any, Self

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


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def working(self, now: datetime) -> Self:
        """Neither revoked nor expired; says nothing about their owners' accounts."""
        return self.filter(revoked_at=None, expires_at__gt=now)


class ApiToken(models.Model):
    """A token for the JSON API. Only a hash of it is stored (`dashboard.api_tokens`)."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    # What it is for, in its owner's words.
    name = models.CharField(max_length=100)
    token_hash = models.CharField(max_length=64, unique=True)
    # Its last characters, to tell tokens apart.
    hint = models.CharField(max_length=4)
    # Words of `dashboard.api_tokens.SCOPES`, with spaces between them.
    scopes = models.CharField(max_length=100)
    workspaces = models.ManyToManyField("batches.Workspace", related_name="api_tokens")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    # Written at most once a minute.
    last_used_at = models.DateTimeField(null=True)
    # The calls in one minute, which is given as minutes since 1970.
    minute = models.BigIntegerField(default=0)
    calls = models.PositiveIntegerField(default=0)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} …{self.hint}"

    @property
    def scope_list(self) -> list[str]:
        return self.scopes.split()

    def state(self, now: datetime) -> str:
        """ "active", "expired" or "revoked"; says nothing about its owner's account."""
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= now else "active"
