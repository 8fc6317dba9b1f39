"""How up to date all workspaces are together, for templates that have them one by one."""

from collections.abc import Sequence
from datetime import datetime

from django import template

from dashboard.health import Freshness, Health

register = template.Library()


@register.filter
def freshness(healths: Sequence[Health]) -> Freshness:
    return Freshness(healths)


@register.filter
def ages(freshness: Freshness, now: datetime) -> str:
    return freshness.ages(now)
