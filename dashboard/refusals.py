"""Records the actions that a signed-in person was refused with a 403."""

from typing import Any

import structlog
from django.db import Error
from django.http import Http404, HttpRequest

from batches.models import AuditEvent
from dashboard.access import visible_batch_or_404, visible_people, visible_workspaces
from dashboard.recording import did_recently, record

log = structlog.get_logger(__name__)

SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}
EXPIRED = "the page had expired"
OTHER_SITE = "the form came from another site"


def record_refusal(request: HttpRequest, why: str) -> None:
    """Record the attempt, unless the person made the same one within the last minute.

    If the database fails, the person still gets the 403.
    """
    if request.method in SAFE_METHODS:
        return
    try:
        _record(request, why)
    except Error as error:
        log.warning("refusal not recorded", error=str(error))


def _record(request: HttpRequest, why: str) -> None:
    user, match = getattr(request, "user", None), request.resolver_match
    if user is None or match is None or not user.is_authenticated:
        return
    what = f"{(match.url_name or '').replace('-', ' ').capitalize()}: {why}"
    action = AuditEvent.Action.ACTION_REFUSED
    if not did_recently(user, action, outcome=what):
        record(request, action, outcome=what, **_subject(user, match.url_name, match.kwargs))


def _subject(user: Any, url_name: str | None, named: dict[str, Any]) -> dict[str, Any]:
    """The batch, workspace or person in the address, if the user may see it."""
    kind = (url_name or "").partition("-")[0]
    if "api_id" in named:
        try:
            return {"batch": visible_batch_or_404(user, named["api_id"])}
        except Http404:
            return {}
    if kind == "workspace" and "pk" in named:
        return {"workspace": visible_workspaces(user).filter(pk=named["pk"]).first()}
    if kind == "person" and "pk" in named:
        return {"person": visible_people(user).filter(pk=named["pk"]).first()}
    return {}
