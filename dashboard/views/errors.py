"""Pages for what went wrong: what happened, what it means, what to do next."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from dashboard.roles import role_of


def page(status: int, title: str, *sentences: str) -> HttpResponse:
    context = {"title": title, "sentences": sentences, "status": status}
    # Without the request: what broke may be the database, and asking who this is reads it.
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
            "Ask an admin of this Batchboard to put you into one of the groups viewer, operator, "
            "lead or admin, and to make you a member of your workspace.",
        )
    return page(
        403,
        "Your role does not allow this",
        "Nothing was changed, and no batch was touched.",
        "Operators and up may cancel and label; leads and up see spend and the audit. Ask an admin "
        "for the role.",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return page(
        404,
        "There is nothing at this address",
        "If you followed a link to a batch: it does not exist, or it belongs to a workspace that "
        "you are not a member of.",
        "If it was created just now, it appears within a few seconds: search for its id.",
    )


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form is from another session, or another site."""
    return page(
        403,
        "This form is out of date",
        "Nothing was changed, and no batch was touched.",
        "You may have signed in again in another tab. Reload the page and press once more.",
    )


def server_error(request: HttpRequest) -> HttpResponse:
    return page(
        500,
        "Something broke on our side",
        "If you pressed Cancel, your wish may have been stored: reload the batch's page, which "
        "shows what is known.",
        "Tell an admin when it happened; the log has the rest.",
    )
