"""How pages look to a person: their time zone, and the browser's theme."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest

from dashboard.roles import role_in_words

EXACT = "%d %b %Y, %H:%M:%S UTC"
# A person's choice that means the time zone of each browser; a script keeps it in the cookie.
BROWSER = "browser"
ZONE_COOKIE = "batchboard_zone"
THEMES = ("system", "light", "dark")
THEME_COOKIE = "batchboard_theme"
# The others in the database are other names of the same zones, such as "US/Eastern".
REGIONS = (
    *("Africa", "America", "Antarctica", "Asia", "Atlantic"),
    *("Australia", "Europe", "Indian", "Pacific"),
)


@cache
def zone_names() -> frozenset[str]:
    """The IANA time zones that a person can choose."""
    return frozenset(name for name in available_timezones() if name.split("/")[0] in REGIONS)


def zone_of(request: Any) -> ZoneInfo | None:
    """The time zone that the person wants beside UTC, or None; without a query."""
    chosen = getattr(getattr(request, "user", None), "time_zone", None)
    name = request.COOKIES.get(ZONE_COOKIE, "") if chosen == BROWSER else chosen
    return ZoneInfo(name) if name in zone_names() else None


def theme_of(request: HttpRequest) -> str:
    """One of THEMES."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return theme if theme in THEMES else "system"


def exact_words(moment: datetime, zone: ZoneInfo | None) -> str:
    """The time in UTC and in the zone: "24 Nov 2026, 23:18:05 UTC · 25 Nov, 00:18:05 Berlin"."""
    moment = moment.astimezone(UTC)
    words = moment.strftime(EXACT)
    if zone is None:
        return words
    local = moment.astimezone(zone)
    city = zone.key.rpartition("/")[2].replace("_", " ")
    day = "" if local.date() == moment.date() else f"{local:%d %b}, "
    return f"{words} · {day}{local:%H:%M:%S} {city}"


def for_templates(request: HttpRequest) -> dict[str, Any]:
    """What the pages' frame shows."""
    user = getattr(request, "user", None)
    zone = zone_of(request)
    return {
        "theme": theme_of(request),
        "themes": THEMES,
        "zone": zone.key if zone else "",
        "asks_zone": getattr(user, "time_zone", None) == BROWSER,
        "is_demo": settings.IS_DEMO,
        "role": role_in_words(user) if user is not None and user.is_authenticated else "",
    }
