"""System checks for settings that work, but not as intended."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning

UNCOUNTED = (
    "Batchboard is behind a proxy, but BATCHBOARD_PROXIES is 0. The audit and the sign-in limits "
    "therefore see the proxy's address for everyone, and a few people's wrong passwords lock "
    "everyone out."
)
COUNT_IT = "Have the proxy set X-Forwarded-For, and set BATCHBOARD_PROXIES=1."


def proxies_are_counted(**_kwargs: Any) -> list[CheckMessage]:
    return [CheckWarning(UNCOUNTED, hint=COUNT_IT, id="batchboard.W001")] if is_uncounted() else []


def is_uncounted() -> bool:
    """Whether the settings show it: HTTPS needs a proxy, as the web process speaks only HTTP."""
    return settings.SECURE_SSL_REDIRECT and not settings.BATCHBOARD_PROXIES
