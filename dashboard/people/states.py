"""Whether a person can sign in, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Max, Sum
from django.utils import timezone

from dashboard.password_links import to_the_minute


@dataclass(frozen=True)
class SignInState:
    """`kind` is "active", "waiting", "locked" or "out", and selects the style."""

    kind: str
    words: str


def state_of(person: User, *, link_until: datetime | None, locked: datetime | None) -> SignInState:
    """The person's state. `link_until` and `locked` are when their link and their lock end."""
    if not person.is_active:
        return SignInState("out", "deactivated")
    if not person.has_usable_password():
        return waiting(person, link_until)
    if locked:
        return SignInState("locked", f"locked after failed sign-ins until {to_the_minute(locked)}")
    return SignInState("active", "active")


def waiting(person: User, link_until: datetime | None) -> SignInState:
    """The state of a person who has to set a password."""
    why = "password reset" if person.last_login else "invited"
    if link_until is None:
        return SignInState("waiting", f"{why}: needs a new link")
    if link_until <= timezone.now():
        return SignInState("waiting", f"{why}: link expired")
    return SignInState("waiting", f"{why}: link valid until {to_the_minute(link_until)}")


def locked_until(usernames: Iterable[str]) -> dict[str, datetime]:
    """For each name that is locked now: when the lock ends. A lock is for one address."""
    cool_off = get_cool_off()
    recent = AccessAttempt.objects.filter(
        username__in=list(usernames), attempt_time__gte=timezone.now() - cool_off
    )
    by_address = recent.values("username", "ip_address").annotate(
        failures=Sum("failures_since_start"), latest=Max("attempt_time")
    )
    locks = by_address.filter(failures__gte=settings.AXES_FAILURE_LIMIT).order_by("latest")
    return {lock["username"]: lock["latest"] + cool_off for lock in locks}
