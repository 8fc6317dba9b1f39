"""Who calls the API: checks the token, what it allows, and how often it is used."""

import threading
from collections import OrderedDict
from datetime import datetime

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from batches import clock
from dashboard.access import client_address, may
from dashboard.api_tokens import CALLS_A_MINUTE, SCOPES, find_token, seconds_to_wait
from dashboard.models import ApiToken
from dashboard.problems import REALM, Problem
from dashboard.refusals import record_refusal
from dashboard.roles import NEEDED
from dashboard.sign_in.limits import MOST_PER_ADDRESS, network_of

log = structlog.get_logger(__name__)

# Networks with failed calls that a process remembers.
MOST_NETWORKS = 10_000
NEW_ONE = "Make a new one on the account page."

# When the failed calls of each network were, oldest first.
_failures: OrderedDict[str, list[datetime]] = OrderedDict()
_lock = threading.Lock()


def authenticate(request: HttpRequest) -> None:
    """Set `request.user` to the token's owner, who has it as `api_token`.

    Raises Problem without a token that works, and for one that is used too often.
    """
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        # Not a redirect: the token has already been sent in the clear, and should not be again.
        raise Problem("https-required", "Use https:// in the address, and replace this token.")
    network, now = network_of(client_address(request)), clock.now()
    _refuse_locked(network, now)
    token = _token_of(request, network, now)
    if token.revoked_at:
        raise _refused("revoked-token", f"It was revoked on {token.revoked_at:%F}. {NEW_ONE}")
    if token.expires_at <= now:
        raise _refused("expired-token", f"It expired on {token.expires_at:%F}. {NEW_ONE}")
    if not token.person.is_active:
        raise _refused("inactive-person", "Ask an admin of this Batchboard.")
    if wait := seconds_to_wait(token, now):
        raise Problem(
            "too-many-calls",
            f"A token can make {CALLS_A_MINUTE} calls a minute. Try again in {wait} s.",
            headers={"Retry-After": str(wait)},
        )
    person = token.person
    # `access` limits what the person sees to the token's workspaces; the audit names the token.
    person.api_token, person.token_name = token, token.name  # type: ignore[attr-defined]
    request.user = person
    structlog.contextvars.bind_contextvars(user_id=person.pk, api_token=token.pk)


def check_scope(request: HttpRequest, scope: str) -> None:
    """Raises Problem if the token lacks the scope, or its owner's role of today allows less."""
    if not scope:
        return
    token: ApiToken = request.user.api_token  # type: ignore[union-attr]
    thing = SCOPES[scope].thing
    if scope not in token.scope_list:
        record_refusal(request, f"the token lacks the {scope} scope")
        raise Problem(
            "missing-scope",
            f"You need a token with the scope “{scope}” {NEEDED[thing].words}.",
            headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{scope}"'},
            scope=scope,
        )
    if not may(request.user, thing):
        needed = NEEDED[thing]
        record_refusal(request, f"needs the {needed.role} role")
        detail = f"You need the {needed.role} role {needed.words}. Ask an admin."
        raise Problem("missing-role", detail, role=needed.role)


@sensitive_variables()
def _token_of(request: HttpRequest, network: str, now: datetime) -> ApiToken:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Problem("no-token", "Send it in the header “Authorization: Bearer bb_…”.")
    token = find_token(text.strip())
    if token is None:
        _count_failure(network, now)
        raise _refused("unknown-token", "It may be mistyped or cut off, or was deleted.")
    return token


def _refused(kind: str, detail: str) -> Problem:
    headers = {"WWW-Authenticate": f'{REALM}, error="invalid_token"'}
    return Problem(kind, detail, headers=headers)


def _refuse_locked(network: str, now: datetime) -> None:
    """As for sign-ins, so many failures lock an address for everyone, in this process."""
    with _lock:
        failures = _recent(network, now)
        if len(failures) < MOST_PER_ADDRESS:
            return
        ends_at = failures[-MOST_PER_ADDRESS] + settings.AXES_COOLOFF_TIME
    wait = int((ends_at - now).total_seconds()) + 1
    raise Problem(
        "too-many-failures",
        f"{MOST_PER_ADDRESS} calls from this address had no valid token. Try again in {wait} s.",
        headers={"Retry-After": str(wait)},
    )


def _count_failure(network: str, now: datetime) -> None:
    with _lock:
        _failures[network] = [*_recent(network, now), now]
        _failures.move_to_end(network)
        while len(_failures) > MOST_NETWORKS:
            _failures.popitem(last=False)
        is_locked = len(_failures[network]) >= MOST_PER_ADDRESS
    if is_locked:
        log.warning("api address locked", address=network)


def _recent(network: str, now: datetime) -> list[datetime]:
    begin = now - settings.AXES_COOLOFF_TIME
    return [at for at in _failures.get(network, []) if begin < at <= now]


def forget_failures() -> None:
    """Unlock every address: for tests, which share a process."""
    with _lock:
        _failures.clear()
