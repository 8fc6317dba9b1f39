"""Reads the environment for the settings. Uses nothing of Django except its errors."""

import contextlib
import errno
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from batches.client import checked_base_url, parse_headers
from dashboard.private_files import make_database, make_folder

# Secrets from tutorials, which attackers try first.
PLACEHOLDERS = ("django-insecure-", "change", "secret", "example", "placeholder", "default")
# What a credential may consist of: no spaces, line breaks, quotes or characters outside ASCII.
CREDENTIAL = re.compile(r"[!#-&(-~]+")
NOT_ALONE = (
    "contains a space, a line break, a quote or a character outside ASCII. Give only the key."
)
ADMIN_KEY = "sk-ant-admin"
AN_ADMIN_KEY = (
    "an Admin key, which cannot see batches. Use an API key here, and the Admin key in "
    "ANTHROPIC_ADMIN_KEY."
)
# How long SQLite waits for a lock: longer than writes take, shorter than a person waits.
BUSY_SECONDS = 5
# A server that does not answer must not hold a page for minutes.
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Environment:
    """Variables by name. For each `NAME`, `NAME_FILE` may give a path instead."""

    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def text(self, name: str, default: str = "") -> str:
        """The variable's value, without spaces or a pair of quotes around it.

        Docker's --env-file and others keep quotes that a shell would remove. Raises
        ImproperlyConfigured when both variables are set or the file cannot be read.
        """
        value, path = self.variables.get(name), self.variables.get(f"{name}_FILE")
        if value and path:
            raise ImproperlyConfigured(f"Both {name} and {name}_FILE are set. Set only one.")
        if path:
            try:
                value = Path(path).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from error
        return unquoted((value or "").strip()) or default

    def words(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """The parts of a comma-separated value, without spaces and empty parts."""
        return [word.strip() for word in self.text(name).split(",") if word.strip()] or list(
            default
        )

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A yes or no. Raises ImproperlyConfigured for any other value."""
        value = self.text(name).lower()
        if not value:
            return default
        if value in {"1", "true", "yes", "on"}:
            return True
        if value in {"0", "false", "no", "off"}:
            return False
        raise ImproperlyConfigured(f"{name} is {value!r}. Set it to 1 or 0.")

    def number(self, name: str, default: float, *, at_least: float, at_most: float) -> float:
        """A number within the bounds. Raises ImproperlyConfigured for any other value."""
        value = self.text(name)
        try:
            number = float(value) if value else default
        except ValueError:
            number = float("nan")
        if not at_least <= number <= at_most:
            raise ImproperlyConfigured(
                f"{name} is {value!r}. Set it to a number from {at_least:g} to {at_most:g}."
            )
        return number


def unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1].strip()
    return value


def credential(name: str, value: str) -> str:
    """The value of a variable that holds a key or token; empty when there is none.

    Raises ImproperlyConfigured, without repeating the value, for an invalid one.
    """
    if value and not CREDENTIAL.fullmatch(value):
        raise ImproperlyConfigured(f"{name} {NOT_ALONE}")
    if name == "ANTHROPIC_API_KEY" and value.startswith(ADMIN_KEY):
        raise ImproperlyConfigured(f"ANTHROPIC_API_KEY is {AN_ADMIN_KEY}")
    if name == "ANTHROPIC_ADMIN_KEY" and value.startswith("sk-ant-api"):
        raise ImproperlyConfigured(
            "ANTHROPIC_ADMIN_KEY is an API key, which cannot read the cost report. Set it to an "
            "Admin key (sk-ant-admin…), and ANTHROPIC_API_KEY to the API key."
        )
    return value


def base_url(name: str, value: str, *, allow_http: bool = False) -> str:
    """The API's address without `/v1` or `/v1/messages` at its end, as the official SDK takes it.

    Raises ImproperlyConfigured for any other address, and for plain HTTP to another machine without
    `allow_http`. The message never contains the address, which may hold a password.
    """
    try:
        return str(checked_base_url(value, allow_http=allow_http)).rstrip("/")
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} cannot be used: {error}") from None


def headers(name: str, value: str) -> dict[str, str]:
    """The headers in `Name: value` lines; lines without a colon are skipped, as by the SDK.

    Raises ImproperlyConfigured, without repeating a value, for an invalid header and for one that
    Batchboard sets itself.
    """
    try:
        return parse_headers("\n".join(line for line in value.split("\n") if ":" in line))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} cannot be used: {error}") from None


def kept_secret(
    path: Path, *, name: str = "", make: Callable[[], str] = lambda: secrets.token_urlsafe(50)
) -> str:
    """The secret in `path`, generated at first use and readable only by its owner.

    Two processes that start at once get the same secret: the first to create the file wins. Raises
    ImproperlyConfigured when the file can be neither read nor created; `name` is the variable that
    can give the secret instead.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not path.exists():
            make_folder(path.parent)
            draft.touch(mode=0o600)
            draft.write_text(make(), encoding="ascii")
            # A hard link appears complete or not at all, and never replaces an existing file.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The folder {path.parent} cannot be used for the file {path.name} "
            f"({error.strerror}): set BATCHBOARD_VAR to a folder that can be written, or {name}."
        ) from error
    finally:
        # On a read-only file system there is no draft, and looking for it may fail.
        with contextlib.suppress(OSError):
            draft.unlink()


def refuse_insecurity(
    *, debug: bool, secret_key: str, allowed_hosts: list[str], bind: str = ""
) -> None:
    """Raises ImproperlyConfigured for settings that would let anyone in.

    `bind` is the address that the web process listens on; empty for loopback.
    """
    if any(host.startswith("*") for host in allowed_hosts):
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS contains a wildcard: name the hosts that people will open, "
            "such as ALLOWED_HOSTS=batchboard.example.com."
        )
    weak = len(secret_key) < 50 or len(set(secret_key)) < 5
    if weak or secret_key.lower().startswith(PLACEHOLDERS):
        raise ImproperlyConfigured(
            "SECRET_KEY is short or a placeholder: give at least 50 random characters, "
            "or leave it unset, and Batchboard generates one in var/."
        )
    reachable = [host for host in (*allowed_hosts, bind or "localhost") if not is_loopback(host)]
    if debug and reachable:
        raise ImproperlyConfigured(
            f"DEBUG is on, and others can reach {reachable[0]}: with DEBUG every error page shows "
            "them code and settings. Turn DEBUG off, or keep ALLOWED_HOSTS and BATCHBOARD_BIND to "
            "this machine, such as localhost."
        )


def is_loopback(host: str) -> bool:
    """Whether a name in ALLOWED_HOSTS can only mean this machine."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def database(url: str, *, default_path: Path) -> dict[str, Any]:
    """Django's DATABASES entry for a `postgres://` or `sqlite:///` address.

    The query of a `postgres://` address holds libpq's options, and `pgbouncer=1` for a PgBouncer
    that pools transactions: it keeps no cursor open between two of them, so Django must not use
    any (https://docs.djangoproject.com/en/6.1/ref/databases/#transaction-pooling-server-side-cursors).

    Raises ImproperlyConfigured for any other address. The message never contains the password.
    """
    if not url:
        return sqlite(default_path)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured("DATABASE_URL is not a valid address.") from error
    if parts.scheme == "sqlite":
        return sqlite(Path(unquote(parts.path[1:])))
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured(
            "DATABASE_URL must be postgres://user:password@host:port/name or sqlite:///path."
        )
    options = dict(parse_qsl(parts.query))
    pooled = options.pop("pgbouncer", "0")
    if pooled not in {"0", "1"}:
        raise ImproperlyConfigured("DATABASE_URL: set pgbouncer to 1 or 0.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": port or "",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": pooled == "1",
        "OPTIONS": {"connect_timeout": CONNECT_SECONDS} | options,
    }


def sqlite(path: Path) -> dict[str, Any]:
    """The entry for SQLite with several processes: readers never wait, writers wait for each other.

    Raises ImproperlyConfigured when the file, or its folder, cannot be written.
    """
    make_writable(path)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Without IMMEDIATE a transaction that reads before it writes fails at once
            # when another has written in between, whatever the timeout.
            "transaction_mode": "IMMEDIATE",
            "timeout": BUSY_SECONDS,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
            ),
        },
    }


def make_writable(path: Path) -> None:
    """Creates SQLite's file and folder. Raises ImproperlyConfigured where SQLite cannot write."""
    try:
        make_folder(path.parent)
        # SQLite keeps its journal next to the file.
        for place in (path.parent, path):
            if place.exists() and not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        make_database(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The database {path} cannot be written ({error.strerror}). Make it and its folder "
            "writable, or set BATCHBOARD_VAR or DATABASE_URL to another place."
        ) from error
