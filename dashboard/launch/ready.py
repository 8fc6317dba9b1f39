"""Checks whether the processes that were started answer."""

import http.client
import ipaddress
import os
from datetime import datetime

from django.conf import settings

from batches.models import Workspace
from dashboard.launch.ports import HOST


class PageBroken(Exception):
    """A page answers with an error. `str(error)` is fit to show a person."""


def web_host() -> str:
    """The host part of the URL at which this machine reaches the web process."""
    bind = (os.environ.get("BATCHBOARD_BIND") or HOST).strip("[]")
    try:
        if ipaddress.ip_address(bind).is_unspecified:
            return HOST
    except ValueError:
        return bind
    return f"[{bind}]" if ":" in bind else bind


def is_listening(host: str, port: int) -> bool:
    """Whether an HTTP server answers there, with any status."""
    return status_of(host, port, "/") is not None


def pages_answer(port: int) -> bool:
    """Whether the web process serves its health check and its sign-in page.

    Raises PageBroken for an error status, because waiting does not help then.
    """
    for path in ("/healthz", "/accounts/login/"):
        status = status_of(web_host(), port, path)
        if status is not None and status >= 400:
            raise PageBroken(f"The web process answers {path} with {status}. See its log above.")
        if status != 200:
            return False
    return True


def status_of(host: str, port: int, path: str) -> int | None:
    """The status of a GET, or None when no HTTP server answers in time."""
    # A copy that serves only HTTPS redirects plain requests, except those from its proxy.
    headers = {"Host": settings.ALLOWED_HOSTS[0].lstrip("."), "X-Forwarded-Proto": "https"}
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def all_mirrored_since(start: datetime) -> bool:
    """Whether every workspace has been listed completely, and synced since `start`."""
    enabled = Workspace.objects.filter(is_enabled=True)
    mirrored = enabled.filter(backfilled_at__isnull=False, last_synced_at__gte=start)
    return enabled.count() == mirrored.count()


def last_errors() -> str:
    """The last error of each workspace whose sync failed, as text for a person."""
    failed = Workspace.objects.exclude(error="")
    return " ".join(f"{each.name}: {each.error}" for each in failed)
