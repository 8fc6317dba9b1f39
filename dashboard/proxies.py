"""Warns of a proxy that BATCHBOARD_PROXIES doesn't count."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import structlog
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dashboard.addresses import address_in

log = structlog.get_logger(__name__)

PROBLEM = (
    "A proxy stands in front of Batchboard, but BATCHBOARD_PROXIES is 0. So everyone shares the "
    "proxy's address in the audit and in the sign-in lock, and one person's wrong passwords lock "
    "everyone out."
)
REMEDY = "Have the proxy set X-Forwarded-For, and set BATCHBOARD_PROXIES=1."


def is_uncounted() -> bool:
    """Whether the settings alone say so: the web process speaks no HTTPS, so a proxy must."""
    return settings.SECURE_SSL_REDIRECT and not settings.BATCHBOARD_PROXIES


def check(**_kwargs: Any) -> list[CheckMessage]:
    """Django's system check: management commands print it."""
    return [CheckWarning(PROBLEM, hint=REMEDY, id="batchboard.W001")] if is_uncounted() else []


class ProxyMiddleware:
    """Logs one warning for each process: at its start, or when a request shows a proxy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        if is_uncounted():
            warn()
        if is_uncounted() or settings.BATCHBOARD_PROXIES:
            raise MiddlewareNotUsed
        self.has_warned = False

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_warned and came_by_proxy(request):
            self.has_warned = True
            warn()
        return self.get_response(request)


def came_by_proxy(request: HttpRequest) -> bool:
    """Whether a machine of one's own network passed the request on.

    A stranger can send the header too, but not from such an address.
    """
    peer = address_in(request.META.get("REMOTE_ADDR", ""))
    return "X-Forwarded-For" in request.headers and bool(peer) and ip_address(peer).is_private


def warn() -> None:
    log.warning("%s %s", PROBLEM, REMEDY)
