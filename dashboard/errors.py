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
from dashboard.access import role_needed
from dashboard.query_form import IGNORED
from dashboard.roles import role_of
from dashboard.sign_in.views import page_after_sign_in

RETRY_AFTER_SECONDS = 10
SIGN_IN_AFTER_SECONDS = 3


def page(status: int, title: str, *sentences: str) -> HttpResponse:
    """An error page. It needs no database, session or static files: any of them may be broken."""
    context = {
        "title": title,
        "sentences": sentences,
        "status": status,
        "home_url": get_script_prefix(),
        "static_url": settings.STATIC_URL,
    }
    # Without the request, whose context processors look up the person.
    return HttpResponse(render_to_string("error.html", context), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(
        400,
        "This request cannot be understood",
        "Nothing was changed.",
        "Go back to the list and try again from there.",
    )


def invalid_filters(problems: Sequence[str]) -> HttpResponse:
    """For a CSV, which would otherwise hold more than was asked for."""
    return page(
        400,
        "These filters are not valid",
        *(problem.removesuffix(IGNORED) for problem in problems),
        "No file was made. Correct the address, or download from the page again.",
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    role = role_needed(exception)
    refusals.record_refusal(request, f"needs the {role} role" if role else "not allowed")
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and not role_of(user):
        return page(
            403,
            "You are signed in, but have no role yet",
            "Ask an admin of this Batchboard to give you a role and your workspaces on the People "
            "page.",
        )
    return page(
        403,
        "Your role does not allow this",
        f"You need the {role} role for this. Ask an admin."
        if role
        else "You can’t do this here. Ask an admin.",
        "Nothing was changed.",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(
        404,
        "There is nothing at this address",
        "If you followed a link to a batch: it does not exist, or it belongs to a workspace that "
        "you are not a member of.",
        "If it was created just now, it appears within a few seconds: search for its ID.",
    )


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form belongs to another session, or comes from another site.

    A sign-in form leads on as if it had worked, if its browser has signed in in another tab.
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
    )


def server_error(request: HttpRequest) -> HttpResponse:
    error = sys.exception()
    if isinstance(error, Error) and is_outage(error):
        return database_unavailable(request)
    return page(
        500,
        "Something broke on our side",
        "If you pressed Cancel, your request may have been saved. Reload the page to check.",
        "Tell an admin when it happened; the log has the rest.",
    )


def database_unavailable(request: HttpRequest) -> HttpResponse:
    """503: for a moment, the database is locked, full, read-only or down."""
    # A form's first write may have been saved before the database failed, so don't promise more.
    is_form = request.method not in {"GET", "HEAD"}
    what = "Your request was probably not saved." if is_form else "Nothing was changed."
    response = page(
        503,
        "The database is not available right now",
        what,
        "Wait a few seconds, reload the page to check, and try again. If it stays like this, tell "
        "an admin: the log has the reason.",
    )
    response["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def untrusted_proxy(request: HttpRequest) -> HttpResponse:
    """In place of a redirect to HTTPS that would lead back to the same redirect."""
    return page(
        400,
        "This site’s proxy is not trusted yet",
        "The proxy says that you use HTTPS, but Batchboard is not set up to trust it.",
        "An admin can add the proxy to FORWARDED_ALLOW_IPS and restart the web process: the log "
        "has its address.",
    )


def too_many_sign_ins(request: HttpRequest) -> HttpResponse:
    """503: this process is hashing as many passwords as it may."""
    response = page(
        503,
        "Too many sign-ins at the same moment",
        "Nothing was changed.",
        "Try again in a few seconds.",
    )
    response["Retry-After"] = SIGN_IN_AFTER_SECONDS
    return response


def is_outage(error: Exception) -> bool:
    """Whether the database could not work, rather than being asked something wrong."""
    cause = error.__cause__
    if isinstance(error, InternalError):
        # PostgreSQL's "read-only transaction": a standby, or a server that is being replaced.
        return getattr(cause, "sqlstate", "") == "25006"
    # SQLite reports mistakes in SQL as operational errors, too.
    is_mistake = getattr(cause, "sqlite_errorname", "") == "SQLITE_ERROR"
    return isinstance(error, OperationalError | InterfaceError) and not is_mistake
