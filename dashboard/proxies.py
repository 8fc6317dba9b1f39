"""Says what is wrong between a proxy and Batchboard, where otherwise nobody would find out."""

from collections.abc import Callable
from ipaddress import ip_address

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dashboard.addresses import address_in
from dashboard.checks import COUNT_IT, UNCOUNTED, is_uncounted
from dashboard.views import errors

log = structlog.get_logger(__name__)

UNTRUSTED = (
    "Browsers are redirected to HTTPS for ever, as FORWARDED_ALLOW_IPS does not name the proxy "
    "that says they use it. Add its address, or its network such as 172.16.0.0/12."
)


class ProxyMiddleware:
    """Logs each problem once for each process, and ends what would be an endless redirect."""

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
    """Whether a machine of one's own network passed the request on.

    A stranger can send the header too, but not from such an address.
    """
    if "X-Forwarded-For" not in request.headers:
        return False
    peer = address_in(request.META.get("REMOTE_ADDR", ""))
    return bool(peer) and ip_address(peer).is_private


def is_endless(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether the answer redirects to HTTPS someone who, as the proxy says, uses it already."""
    is_redirect = response.status_code == 301 and settings.SECURE_SSL_REDIRECT
    says_https = request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
    return is_redirect and says_https and not request.is_secure()
