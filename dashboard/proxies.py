"""Reports mistakes in the setup of a proxy in front of Batchboard."""

from collections.abc import Callable
from ipaddress import ip_address

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dashboard import errors
from dashboard.addresses import address_in
from dashboard.checks import COUNT_IT, UNCOUNTED, is_uncounted

log = structlog.get_logger(__name__)

UNTRUSTED = (
    "A proxy says that a browser uses HTTPS, but FORWARDED_ALLOW_IPS does not contain the proxy, "
    "so no one can sign in. Add its address, or its network, such as 172.16.0.0/12."
)


class ProxyMiddleware:
    """Logs each problem once per process, and shows a page instead of an endless redirect."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.warned_of: set[str] = set()
        if is_uncounted():
            self.warn(UNCOUNTED, do=COUNT_IT)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not settings.BATCHBOARD_PROXIES and came_by_proxy(request):
            self.warn(UNCOUNTED, do=COUNT_IT)
        response = self.get_response(request)
        if is_endless(request, response):
            self.warn(UNTRUSTED, proxy=request.META.get("REMOTE_ADDR", ""))
            return errors.untrusted_proxy(request)
        return response

    def warn(self, problem: str, **details: str) -> None:
        if problem not in self.warned_of:
            self.warned_of.add(problem)
            log.warning(problem, **details)


def came_by_proxy(request: HttpRequest) -> bool:
    """Whether a proxy on a private network forwarded the request.

    Anyone can send the header, but not from a private address.
    """
    if "X-Forwarded-For" not in request.headers:
        return False
    peer = address_in(request.META.get("REMOTE_ADDR", ""))
    return bool(peer) and ip_address(peer).is_private


def is_endless(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether the answer redirects a browser to HTTPS that, as the proxy says, already uses it."""
    is_redirect = response.status_code == 301 and settings.SECURE_SSL_REDIRECT
    says_https = request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
    return is_redirect and says_https and not request.is_secure()
