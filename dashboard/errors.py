"""Pages for what went wrong: what happened, what it means, what to do next."""

import sys
from collections.abc import Sequence

from django.conf import settings
from django.db import Error, InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import get_script_prefix

from dashboard import refusals
from dashboard.access import needed_for
from dashboard.display import theme_of
from dashboard.problems import Problem, database_problem, is_for_api
from dashboard.query_form import IGNORED
from dashboard.roles import role_of
from dashboard.sign_in.views import page_after_sign_in

RETRY_AFTER_SECONDS = 10
SIGN_IN_AFTER_SECONDS = 3


def page(
    status: int, title: str, *sentences: str, request: HttpRequest | None = None
) -> HttpResponse:
    """An error page, in the theme of the request's browser.

    It uses no database, session or manifest: any of them may be broken.
    """
    context = {
        "theme": theme_of(request) if request else "system",
        "title": title,
        "sentences": sentences,
        "status": status,
        "home_url": get_script_prefix(),
        "static_url": settings.STATIC_URL,
    }
    # Not `render`, whose context processors look up the person.
    return HttpResponse(render_to_string("error.html", context), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_for_api(request):
        return Problem("bad-request", "Nothing was changed.").answer()
    return page(
        400,
        "Batchboard can’t understand this request",
        "Nothing was changed.",
        "Go back to the list and try again from there.",
        request=request,
    )


def invalid_filters(problems: Sequence[str]) -> HttpResponse:
    """400 for a CSV: without its filters it would contain more than the person requested."""
    return page(
        400,
        "These filters are not valid",
        *(problem.removesuffix(IGNORED) for problem in problems),
        "No file was made. Correct the address, or download from the page again.",
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    needed = needed_for(exception)
    refusals.record_refusal(request, f"needs the {needed.role} role" if needed else "not allowed")
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and not role_of(user):
        return page(
            403,
            "You are signed in, but have no role yet",
            "Ask an admin of this Batchboard to give you a role and your workspaces on the People "
            "page.",
            request=request,
        )
    return page(
        403,
        "Your role doesn’t allow this",
        f"You need the {needed.role} role {needed.words}. Ask an admin."
        if needed
        else "You can’t do this here. Ask an admin.",
        "Nothing was changed.",
        request=request,
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_for_api(request):
        return Problem("not-found", "The API’s addresses begin with /api/v1/.").answer()
    return page(
        404,
        "There is nothing at this address",
        "If you followed a link to a batch, it doesn’t exist, or it belongs to a workspace that "
        "you are not a member of.",
        "If it was created just now, it appears within a few seconds. Search for its ID.",
        request=request,
    )


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form of another session or from another site.

    A sign-in form redirects as if it had worked if its browser has signed in in another tab.
    """
    if reason.startswith("Origin checking failed"):
        refusals.record_refusal(request, refusals.OTHER_SITE)
        return page(
            403,
            "This form was sent from another address",
            "Nothing was changed.",
            f"It came from {request.headers.get('Origin', '')[:200]}, but this site is at "
            f"{request.get_host()}. An admin can have the proxy pass the Host header on, or set "
            "CSRF_TRUSTED_ORIGINS.",
            request=request,
        )
    match = request.resolver_match
    if match and match.view_name == "login" and request.user.is_authenticated:
        return redirect(page_after_sign_in(request))
    refusals.record_refusal(request, refusals.EXPIRED)
    return page(
        403,
        "This page expired",
        "Nothing was changed.",
        "You may have signed in again in another tab. Go back, reload the page and try again.",
        request=request,
    )


def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exception()
    if isinstance(error, Error) and is_outage(error):
        return database_unavailable(request)
    if is_for_api(request):
        detail = "Your request may have been saved. Tell an admin when it happened."
        return Problem("error", detail).answer()
    return page(
        500,
        "Something went wrong in Batchboard",
        "If you pressed Cancel, your request may have been saved. Reload the page to check.",
        "Tell an admin when it happened; the log has the details.",
        request=request,
    )


def database_unavailable(request: HttpRequest) -> HttpResponse:
    """503 while the database is locked, full, read-only or down."""
    if is_for_api(request):
        return database_problem(RETRY_AFTER_SECONDS)
    # A form's first write may have been saved before the database failed.
    is_form = request.method not in {"GET", "HEAD"}
    what = "Your request was probably not saved." if is_form else "Nothing was changed."
    response = page(
        503,
        "The database is not available right now",
        what,
        "Wait a few seconds, reload the page to check, and try again. If this goes on, tell an "
        "admin: the log has the reason.",
        request=request,
    )
    response["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def untrusted_proxy(request: HttpRequest) -> HttpResponse:
    """400 instead of a redirect to HTTPS, which would redirect to itself without end."""
    return page(
        400,
        "This site’s proxy is not trusted yet",
        "The proxy says that you use HTTPS, but Batchboard is not set up to trust it.",
        "An admin can add the proxy to FORWARDED_ALLOW_IPS and restart the web process: the log "
        "has its address.",
    )


def too_many_sign_ins(request: HttpRequest) -> HttpResponse:
    """503 while this process is hashing as many passwords as it may."""
    response = page(
        503,
        "Too many sign-ins at the same moment",
        "Nothing was changed.",
        "Try again in a few seconds.",
        request=request,
    )
    response["Retry-After"] = SIGN_IN_AFTER_SECONDS
    return response


def is_outage(error: Exception) -> bool:
    """Whether the database was unavailable; False if the statement was wrong."""
    cause = error.__cause__
    if isinstance(error, InternalError):
        # PostgreSQL's code for a read-only transaction: a standby, or a server being replaced.
        return getattr(cause, "sqlstate", "") == "25006"
    # SQLite also reports mistakes in SQL as operational errors.
    is_mistake = getattr(cause, "sqlite_errorname", "") == "SQLITE_ERROR"
    return isinstance(error, OperationalError | InterfaceError) and not is_mistake
