"""System checks of settings that work, but not as meant; management commands print them."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning

UNCOUNTED = (
    "A proxy stands in front of Batchboard, but BATCHBOARD_PROXIES is 0. So everyone has the "
    "proxy's address in the audit and for the sign-in limits, and a few people's wrong passwords "
    "lock everyone out."
)
COUNT_IT = "Have the proxy set X-Forwarded-For, and set BATCHBOARD_PROXIES=1."


def proxies_are_counted(**_kwargs: Any) -> list[CheckMessage]:
    return [CheckWarning(UNCOUNTED, hint=COUNT_IT, id="batchboard.W001")] if is_uncounted() else []


def is_uncounted() -> bool:
    """Whether the settings alone say so: the web process speaks no HTTPS, so a proxy must."""
    return settings.SECURE_SSL_REDIRECT and not settings.BATCHBOARD_PROXIES
