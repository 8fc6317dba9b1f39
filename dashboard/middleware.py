"""Adds headers to every answer, and answers probes, ended sessions and too many sign-ins."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from dashboard import errors, probes
from dashboard.sign_in.hashing import TooManySignIns

UNUSED_FEATURES = (
    "accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid",
    "magnetometer", "microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip
HEADERS = {
    # Only the person who requested a page may keep it. Static files have their own Cache-Control.
    "Cache-Control": "private, no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED_FEATURES),
}


class HeadersMiddleware:
    """Adds HEADERS to every answer, static files and refusals included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class ProbeMiddleware:
    """Answers probes before the middleware that might refuse them or need the database.

    Probes use the process's own address, which ALLOWED_HOSTS does not contain. Their answers don't
    depend on the Host header, and /metrics still requires the token.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path == "/healthz":
            return probes.healthz(request)
        if path == "/readyz":
            return probes.readyz(request)
        if path == "/metrics" and probes.has_token(request):
            return probes.metrics(request)
        return self.get_response(request)


class CompressionMiddleware(GZipMiddleware):
    """Compresses pages, with the random padding that makes their length no clue (BREACH).

    Downloads stay as they are: they are streams, whose memory and Content-Length are their own.
    """

    def process_response(self, request: Any, response: HttpResponseBase) -> HttpResponseBase:
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if response.streaming or kind not in {"text/html", "application/json"}:
            return response
        return super().process_response(request, response)


class HtmxLoginMiddleware:
    """Sends an htmx request without a session to the sign-in page.

    A plain redirect would put the sign-in form into a card.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: Any, view: Any, args: object, kwargs: object
    ) -> HttpResponse | None:
        needs_login = getattr(view, "login_required", True)
        if not request.htmx or request.user.is_authenticated or not needs_login:
            return None
        login = redirect_to_login(page_of(request), resolve_url(settings.LOGIN_URL))
        return HttpResponseClientRedirect(login.url)


class TooManySignInsMiddleware:
    """Answers 503 when a view can't hash a password because too many others are being hashed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, TooManySignIns):
            return errors.too_many_sign_ins(request)
        return None


def page_of(request: Any) -> str:
    """The path of the page that sent an htmx request; the list's path for another site's page."""
    current = request.htmx.current_url or ""
    if not url_has_allowed_host_and_scheme(current, allowed_hosts={request.get_host()}):
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    parts = urlsplit(current)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
