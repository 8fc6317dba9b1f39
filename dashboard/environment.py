"""The process's environment, read once by settings. Knows no Django but its errors."""

import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

# Secrets that stand in tutorials, and so in attackers' lists.
PLACEHOLDERS = ("django-insecure-", "change", "secret", "example", "placeholder", "default")


@dataclass(frozen=True)
class Environment:
    """Variables by name; any `NAME` may be given as `NAME_FILE` with a path instead."""

    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def text(self, name: str, default: str = "") -> str:
        """The variable's value without surrounding blanks.

        Raises ImproperlyConfigured when both forms are given or the file cannot be read.
        """
        value, path = self.variables.get(name), self.variables.get(f"{name}_FILE")
        if value and path:
            raise ImproperlyConfigured(f"Both {name} and {name}_FILE are set: give only one.")
        if path:
            try:
                value = Path(path).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from error
        return (value or "").strip() or default

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """A comma-separated value, blanks and empty parts dropped."""
        return [word.strip() for word in self.text(name).split(",") if word.strip()] or list(
            default
        )

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Raises ImproperlyConfigured for a value that is neither a yes nor a no."""
        value = self.text(name).lower()
        if not value:
            return default
        if value in {"1", "true", "yes", "on"}:
            return True
        if value in {"0", "false", "no", "off"}:
            return False
        raise ImproperlyConfigured(f"{name} is {value!r}: say 1 or 0.")

    def number(self, name: str, default: float, *, at_least: float, at_most: float) -> float:
        """Raises ImproperlyConfigured for anything but a number within the bounds."""
        value = self.text(name)
        try:
            number = float(value) if value else default
        except ValueError:
            number = float("nan")
        if not at_least <= number <= at_most:
            raise ImproperlyConfigured(
                f"{name} is {value!r}: give a number from {at_least:g} to {at_most:g}."
            )
        return number


def kept_secret(path: Path, *, make: Any = lambda: secrets.token_urlsafe(50)) -> str:
    """The secret in `path`, made on first use, readable by its owner alone.

    Two processes that start at once agree: the first to create the file wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not path.exists():
            draft.touch(mode=0o600)
            draft.write_text(make(), encoding="ascii")
            # A hard link appears whole or not at all, and never over an existing file.
            path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)
    return path.read_text(encoding="ascii").strip()


def refuse_insecurity(*, debug: bool, secret_key: str, allowed_hosts: list[str]) -> None:
    """Raises ImproperlyConfigured for settings that would be open to the world."""
    if debug:
        return
    if any(host.startswith("*") for host in allowed_hosts):
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS contains a wildcard: name the hosts that people will open, "
            "such as ALLOWED_HOSTS=batchboard.example.com."
        )
    weak = len(secret_key) < 50 or len(set(secret_key)) < 5
    if weak or secret_key.lower().startswith(PLACEHOLDERS):
        raise ImproperlyConfigured(
            "SECRET_KEY is short or a placeholder: give at least 50 random characters, "
            "or leave it unset and one is made in var/."
        )


def is_loopback(host: str) -> bool:
    """Whether a name of ALLOWED_HOSTS can only mean this machine."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def database(url: str, *, default_path: Path) -> dict[str, Any]:
    """Django's DATABASES entry for a `postgres://` or `sqlite:///` address.

    Raises ImproperlyConfigured for any other; the message never holds the password.
    """
    if not url:
        return sqlite(default_path)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured("DATABASE_URL is not an address that can be read.") from error
    if parts.scheme == "sqlite":
        return sqlite(Path(unquote(parts.path[1:])))
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured(
            "DATABASE_URL must be postgres://user:password@host:port/name or sqlite:///path."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": port or "",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def sqlite(path: Path) -> dict[str, Any]:
    """SQLite for several processes at once: readers never wait, writers queue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Without IMMEDIATE a transaction that reads before it writes fails at once
            # when another has written in between, whatever the time-out.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
            ),
        },
    }
