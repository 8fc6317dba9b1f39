"""Workspace → client: the one place that decides where calls to the API, and keys, go."""

import threading

import httpx
from django.conf import settings

from batches.client import BatchClient, ReportClient
from batches.models import Workspace


class NoKey(Exception):
    """There is no API key that this process can use. Fit to show a person."""


_clients: dict[str, BatchClient] = {}
# By address and Admin key: one, unless a test changes them.
_report_clients: dict[tuple[str, str], ReportClient] = {}
_lock = threading.Lock()


def client_for(workspace: Workspace) -> BatchClient:
    """The workspace's client, kept for as long as its key and address stay the same.

    Making one costs some 20 ms (it loads the CA bundle), and a kept one keeps its connections.
    Raises NoKey when there is no key, or one that cannot be sent.
    """
    if not workspace.key:
        raise NoKey(
            "ANTHROPIC_API_KEY is not set for this process."
            if workspace.from_environment
            else f"The workspace {workspace.name} has no API key: set one in the admin."
        )
    # The fingerprint is of key and address together, so a changed one is never sent the old way.
    fingerprint = workspace.key_fingerprint
    with _lock:
        if fingerprint not in _clients:
            try:
                _clients[fingerprint] = BatchClient(
                    workspace.base_url,
                    workspace.key,
                    auth="bearer" if workspace.auth == "bearer" else "x-api-key",
                    workspace_id=workspace.anthropic_workspace_id,
                    transport=transport(),
                )
            except ValueError as error:
                raise NoKey(f"The workspace {workspace.name} cannot be used: {error}") from error
        return _clients[fingerprint]


def admin_client() -> ReportClient:
    """The client that ANTHROPIC_ADMIN_KEY is for; the key goes to ANTHROPIC_BASE_URL alone.

    Raises NoKey when there is none, or one that cannot be sent.
    """
    where = (settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_ADMIN_KEY)
    if not settings.ANTHROPIC_ADMIN_KEY:
        raise NoKey("ANTHROPIC_ADMIN_KEY is not set for this process.")
    with _lock:
        if where not in _report_clients:
            try:
                _report_clients[where] = ReportClient(*where, transport=transport())
            except ValueError as error:
                raise NoKey(f"ANTHROPIC_ADMIN_KEY cannot be used: {error}") from error
        return _report_clients[where]


def usable(base_url: str, key: str) -> str:
    """What is wrong with an address and key as such, in a sentence without the key; or empty."""
    try:
        BatchClient(base_url, key).close()
    except ValueError as error:
        return str(error)
    return ""


def transport() -> httpx.BaseTransport | None:
    """None: the network. Tests put the sandbox here."""
    return None


def forget_clients() -> None:
    """Close every kept client: their connections must not be shared with a forked child."""
    with _lock:
        for client in (*_clients.values(), *_report_clients.values()):
            client.close()
        _clients.clear()
        _report_clients.clear()
