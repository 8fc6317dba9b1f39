"""Records wrong passwords, from every page that asks for one."""

from django.contrib.auth.models import User
from django.http import HttpRequest

from batches.models import AuditEvent
from dashboard.recording import record
from dashboard.sign_in import limits


def was_counted(request: HttpRequest) -> bool:
    """Whether a password was checked and wrong: not if a field was empty or during a lock."""
    # Axes sets this when it counts a failure.
    return bool(getattr(request, "axes_failures_since_start", None))


def record_failure(request: HttpRequest, name: str, *, where: str = "") -> None:
    """Record one wrong password, and the lock if this failure caused one.

    `where` names the page, unless it is the sign-in page. A username that no account has is not
    recorded, because some people type their password there.
    """
    person = User.objects.filter(username=name).first()
    if person is None:
        outcome = "unknown username"
    else:
        outcome = "wrong password" if person.is_active else "the account is deactivated"
    outcome = f"{outcome}, {where}" if where else outcome
    record(request, AuditEvent.Action.SIGN_IN_FAILED, person=person, outcome=outcome)
    locks = {
        "this username from this address": limits.name_locked_until(request, name),
        "every username from this address": limits.address_locked_until(request),
    }
    for what, until in locks.items():
        if until:
            outcome = f"{what}, until {until:%H:%M} UTC"
            record(request, AuditEvent.Action.SIGN_IN_LOCKED, person=person, outcome=outcome)
