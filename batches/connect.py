"""Workspace → client. The only module that decides whether, where and how to call the API."""

import threading
from typing import Any

import httpx
from django.conf import settings

from batches.client import BatchClient, ReportClient, checked_base_url, parse_headers
from batches.models import Workspace

# Pages recognize the error by these words, as they don't load the key.
UNDECRYPTABLE = "can't be decrypted with BATCHBOARD_ENCRYPTION_KEYS"
SECRETS = {"api_key", "extra_headers"}
# One for each key, headers and address in use, and some left over from changed keys.
MOST_CLIENTS = 200


class CannotCall(Exception):
    """The API must not, or can't, be called for this workspace now.

    `str(error)` can be shown to people.
    """


_clients: dict[str, BatchClient] = {}
# By address and Admin key. A process needs one; tests change them.
_report_clients: dict[tuple[str, str], ReportClient] = {}
_lock = threading.Lock()


def client_for(workspace: Workspace, *, is_round: bool = False) -> BatchClient:
    """The workspace's client, kept while its key, headers and address stay the same.

    All code that calls the API gets its client here. Raises CannotCall when the workspace is
    disabled, has no usable key, or is on hold. A round may call a workspace on hold, to find out
    whether it still has to be.
    """
    if secrets := SECRETS & workspace.get_deferred_fields():
        # Pages don't load them. Both take one query.
        workspace.refresh_from_db(fields=secrets)
    if reason := why_not(workspace, is_round=is_round):
        raise CannotCall(reason)
    # The fingerprint covers key and address, so a new key is never sent to an old address.
    fingerprint = workspace.fingerprint
    with _lock:
        if fingerprint not in _clients:
            while len(_clients) >= MOST_CLIENTS:
                # Not closed here, as another thread may still use it.
                del _clients[next(iter(_clients))]
            _clients[fingerprint] = _client_of(workspace)
        return _clients[fingerprint]


def why_not(workspace: Workspace, *, is_round: bool = False) -> str:
    """Why the API isn't called for the workspace now, in a sentence; empty when it may be."""
    if not workspace.is_enabled:
        return f"The workspace {workspace.name} is disabled."
    if workspace.has_undecryptable_secret:
        return (
            f"The stored API key of {workspace.name} {UNDECRYPTABLE}. Put the encryption key that "
            "it was stored with back into the list, or enter the API key again."
        )
    if not workspace.key:
        return (
            "ANTHROPIC_API_KEY is not set for this process."
            if workspace.from_environment
            else f"The workspace {workspace.name} has no API key: an admin has to set one."
        )
    if workspace.hold == Workspace.Hold.REFUSED and not is_round:
        return f"Anthropic refuses the key of {workspace.name} at the moment."
    if workspace.hold == Workspace.Hold.FOREIGN and not is_round:
        return f"The key of {workspace.name} seems to belong to another Anthropic workspace."
    return ""


def address_problem(base_url: str) -> str:
    """What is wrong with sending a key to this address, in a sentence; empty when nothing is."""
    try:
        checked_base_url(base_url, allow_http=settings.BATCHBOARD_ALLOW_HTTP)
    except ValueError as error:
        return str(error)
    return ""


def _client_of(workspace: Workspace) -> BatchClient:
    try:
        return new_client(workspace)
    except ValueError as error:
        raise CannotCall(f"The workspace {workspace.name} cannot be used: {error}") from error


def new_client(workspace: Workspace, **limits: Any) -> BatchClient:
    """A client of the workspace, saved or not, for the caller to close.

    `limits` are keyword arguments of BatchClient. Doesn't check whether the API may be called.
    Raises ValueError, whose message contains no secret, for a key or header that can't be sent.
    """
    checked_base_url(workspace.base_url, allow_http=settings.BATCHBOARD_ALLOW_HTTP)
    return BatchClient(
        workspace.base_url,
        workspace.key,
        auth="bearer" if workspace.sent_as == "bearer" else "x-api-key",
        workspace_id=workspace.acts_in,
        headers={**workspace.environment_headers, **parse_headers(workspace.extra_headers)},
        transport=transport(),
        **limits,
    )


def admin_client() -> ReportClient:
    """The client for Anthropic's cost report. It sends ANTHROPIC_ADMIN_KEY to ANTHROPIC_BASE_URL.

    Raises CannotCall when there is no such key, or one that can't be sent.
    """
    where = (settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_ADMIN_KEY)
    headers = settings.ANTHROPIC_CUSTOM_HEADERS
    if not settings.ANTHROPIC_ADMIN_KEY:
        raise CannotCall("ANTHROPIC_ADMIN_KEY is not set for this process.")
    with _lock:
        if where not in _report_clients:
            try:
                _report_clients[where] = ReportClient(
                    *where, headers=headers, transport=transport()
                )
            except ValueError as error:
                raise CannotCall(f"ANTHROPIC_ADMIN_KEY cannot be used: {error}") from error
        return _report_clients[where]


def transport() -> httpx.BaseTransport | None:
    """None, for the network. Tests replace this function to reach the sandbox."""
    return None


def forget_clients() -> None:
    """Close all clients: a forked child process must not share their connections."""
    with _lock:
        for client in (*_clients.values(), *_report_clients.values()):
            client.close()
        _clients.clear()
        _report_clients.clear()
