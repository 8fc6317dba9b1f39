"""Django's database sessions with added columns for the user, the address and the browser.

See "Extending database-backed session engines" in Django's documentation.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends import db
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from dashboard.access import client_address
from dashboard.models import Session

# The key of the session's data under which it keeps where and when its user signed in.
ORIGIN = "origin"
LONGEST_BROWSER = 200


class SessionStore(db.SessionStore):
    """Fills the columns from the session's data, which survives a change of its key."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        session: Any = super().create_model_instance(data)
        session.user_id = data.get(SESSION_KEY)
        if origin := data.get(ORIGIN):
            session.address = origin["address"]
            session.browser = origin["browser"]
            session.signed_in_at = datetime.fromisoformat(origin["at"])
        return session


@receiver(user_logged_in)
def remember_origin(request: HttpRequest, **_: Any) -> None:
    request.session[ORIGIN] = {
        "address": client_address(request),
        "browser": request.headers.get("User-Agent", "")[:LONGEST_BROWSER],
        "at": timezone.now().isoformat(),
    }


def sessions_of(person: Any) -> QuerySet[Session]:
    """The person's sessions that haven't expired, the latest sign-in first."""
    live = Session.objects.filter(user_id=person.pk, expire_date__gt=timezone.now())
    return live.order_by("-signed_in_at")


def end_sessions(person: Any, *, keep: str | None = None) -> int:
    """End the person's sessions, except the one with the key `keep`. Return how many ended."""
    ended, _ = sessions_of(person).exclude(session_key=keep).delete()
    return ended
