"""The audit as views use it: who, and from where, are the request's."""

from typing import Any

from django.http import HttpRequest

from batches.models import AuditEvent
from dashboard.access import client_address


def record(request: HttpRequest, action: AuditEvent.Action, **details: Any) -> AuditEvent:
    """Record what the signed-in person did, or someone who is not signed in.

    `details` are those of `AuditEvent.record`.
    """
    user = request.user if request.user.is_authenticated else None
    return AuditEvent.record(
        action,
        **{
            "actor": user,
            "by": AuditEvent.Actor.NOBODY,
            "address": client_address(request),
            **details,
        },
    )
