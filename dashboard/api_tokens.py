"""Tokens for the JSON API: making, finding, revoking, and counting their calls."""

import hashlib
import secrets
import string
import threading
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from django.contrib.auth.models import User
from django.db import Error, transaction
from django.db.models import Case, F, Value, When
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from batches import clock
from batches.models import AuditEvent, Workspace
from dashboard.models import ApiToken
from dashboard.recording import record

log = structlog.get_logger(__name__)

PREFIX = "bb_"
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
# 190 bits.
RANDOM_LENGTH = 32
# A CRC-32, so that secret scanners and typing mistakes are recognized without the database.
CHECKSUM_LENGTH = 6
DEFAULT_DAYS, MOST_DAYS = 90, 365
MOST_PER_PERSON = 50
CALLS_A_MINUTE = 120
# Each process writes its count to the database after so many calls. With several processes, a token
# can make up to one fewer per process beyond CALLS_A_MINUTE.
COUNTED_AT_ONCE = 10
MOST_COUNTED = 10_000


class Scope(NamedTuple):
    """What a token may do: one of NEEDED, and in words."""

    thing: str
    words: str


SCOPES = {
    "read": Scope("see", "see batches and their failed requests"),
    "label": Scope("label", "set labels, owners and notes"),
    "cancel": Scope("cancel", "cancel batches"),
    "spend": Scope("spend", "see spend"),
}

_counts: dict[int, tuple[int, int]] = {}
_lock = threading.Lock()


class TooManyTokens(Exception):
    """The person has MOST_PER_PERSON tokens that work."""


@sensitive_variables()
def new_text() -> str:
    """A new random token."""
    chosen = "".join(secrets.choice(LETTERS) for _ in range(RANDOM_LENGTH))
    return f"{PREFIX}{chosen}{checksum(chosen)}"


def checksum(text: str) -> str:
    """The CRC-32 of the text, in base 62."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(LETTERS))
        digits = LETTERS[digit] + digits
    return digits


@sensitive_variables()
def is_token(text: str) -> bool:
    """Whether the text has the form of a token, the checksum included."""
    rest = text.removeprefix(PREFIX)
    if rest == text or len(rest) != RANDOM_LENGTH + CHECKSUM_LENGTH or not rest.isascii():
        return False
    return checksum(rest[:RANDOM_LENGTH]) == rest[RANDOM_LENGTH:]


@sensitive_variables()
def hashed(text: str) -> str:
    """The stored form. A token is random, so it needs no slow hash and no salt."""
    return hashlib.sha256(text.encode()).hexdigest()


@sensitive_variables()
def find_token(text: str) -> ApiToken | None:
    """The token with its owner, whether it still works or not; None if there is no such token."""
    if not is_token(text):
        return None
    return ApiToken.objects.select_related("person").filter(token_hash=hashed(text)).first()


@sensitive_variables("text")
def make_token(
    request: HttpRequest,
    *,
    name: str,
    scopes: Iterable[str],
    workspaces: Sequence[Workspace],
    days: int,
) -> tuple[str, ApiToken]:
    """Make a token for the signed-in person, and return it: this is the only time it is known.

    Raises TooManyTokens.
    """
    now, text = clock.now(), new_text()
    with transaction.atomic():
        # One at a time for each person, so that two don't exceed the limit.
        person = User.objects.select_for_update().get(username=request.user.get_username())
        if ApiToken.objects.filter(person=person).working(now).count() >= MOST_PER_PERSON:
            raise TooManyTokens
        token = ApiToken.objects.create(
            person=person,
            name=name,
            token_hash=hashed(text),
            hint=text[-4:],
            scopes=" ".join(scope for scope in SCOPES if scope in scopes),
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        token.workspaces.set(workspaces)
        names = ", ".join(workspace.name for workspace in workspaces)
        record(
            request,
            AuditEvent.Action.TOKEN_MADE,
            person=person,
            outcome=f"“{name}”: {', '.join(token.scope_list)}; in {names}; "
            f"until {token.expires_at:%F}",
        )
    return text, token


def revoke_token(request: HttpRequest, token: ApiToken) -> bool:
    """Revoke the token for good; False if it had been revoked already."""
    with transaction.atomic():
        still_valid = ApiToken.objects.filter(pk=token.pk, revoked_at=None)
        if not still_valid.update(revoked_at=clock.now()):
            return False
        outcome = f"“{token.name}”"
        record(request, AuditEvent.Action.TOKEN_REVOKED, person=token.person, outcome=outcome)
    return True


def seconds_to_wait(token: ApiToken, now: datetime) -> int:
    """Count one call; 0 if it may be made, or after how many seconds to try again.

    A token may make CALLS_A_MINUTE in each minute of the clock. The database has the sum of all
    processes, except for the last few calls of each.
    """
    minute, second = divmod(int(now.timestamp()), 60)
    with _lock:
        since, unsaved = _counts.get(token.pk, (minute, 0))
        if since != minute:
            unsaved = 0
        is_first = token.minute != minute
        if (0 if is_first else token.calls) + unsaved >= CALLS_A_MINUTE:
            return 60 - second
        unsaved += 1
        is_due = is_first or unsaved >= COUNTED_AT_ONCE
        if len(_counts) >= MOST_COUNTED:
            _counts.clear()
        _counts[token.pk] = (minute, 0 if is_due else unsaved)
    if is_due:
        _save_calls(token, minute, unsaved, {"last_used_at": now} if is_first else {})
    return 0


def _save_calls(token: ApiToken, minute: int, calls: int, columns: dict[str, Any]) -> None:
    more = Case(When(minute=minute, then=F("calls") + calls), default=Value(calls))
    try:
        ApiToken.objects.filter(pk=token.pk).update(calls=more, minute=minute, **columns)
    except Error as error:
        # Counting must not fail a call that only reads.
        log.warning("calls not counted", token=token.pk, error=str(error))
