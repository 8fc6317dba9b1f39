"""Pages for what went wrong: what happened, what it means, what to do next."""

import sys

from django.db import Error, InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from dashboard.roles import MAY, role_of

RETRY_AFTER_SECONDS = 10


def page(status: int, title: str, *sentences: str) -> HttpResponse:
    context = {"title": title, "sentences": sentences, "status": status}
    # Without the request: looking up the person reads the database, which may be what broke.
    return HttpResponse(render_to_string("error.html", context), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(
        400,
        "This request cannot be understood",
        "Nothing was changed.",
        "Go back to the list and try again from there.",
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
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
        "Nothing was changed, and no batch was touched.",
        f"The roles: {'; '.join(f'{role} {may}' for role, may in MAY.items())}. Ask an admin for "
        "the one you need.",
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
    """The form belongs to another session, or comes from another site."""
    if reason.startswith("Origin checking failed"):
        return page(
            403,
            "This form was sent from another address",
            "Nothing was changed.",
            f"It came from {request.headers.get('Origin', '')[:200]}, but this site is at "
            f"{request.get_host()}. An admin can have the proxy pass the Host header on, or set "
            "CSRF_TRUSTED_ORIGINS.",
        )
    return page(
        403,
        "This page expired",
        "Nothing was changed.",
        "You may have signed in again in another tab. Reload and try again.",
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


def is_outage(error: Exception) -> bool:
    """Whether the database could not work, rather than being asked something wrong."""
    cause = error.__cause__
    if isinstance(error, InternalError):
        # PostgreSQL's "read-only transaction": a standby, or a server that is being replaced.
        return getattr(cause, "sqlstate", "") == "25006"
    # SQLite reports mistakes in SQL as operational errors, too.
    is_mistake = getattr(cause, "sqlite_errorname", "") == "SQLITE_ERROR"
    return isinstance(error, OperationalError | InterfaceError) and not is_mistake
