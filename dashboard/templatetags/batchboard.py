"""Template tags and filters for moments, durations, IDs, icons and query strings."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django import template
from django.http import QueryDict
from django.utils.html import format_html
from django.utils.safestring import SafeString
from lucide.templatetags.lucide import lucide

from batches import clock
from dashboard.query_form import LONGEST_TEXT
from dashboard.words import duration

register = template.Library()

EXACT = "%d %b %Y, %H:%M:%S UTC"


@register.simple_tag
@lru_cache(maxsize=128)
def icon(name: str, size: int = 16) -> str:
    """A decorative icon: the word beside it carries the meaning. Kept, as a page has hundreds."""
    return str(lucide(name, size=size, **{"aria-hidden": "true", "class": "icon"}))


@register.simple_tag
def ago(moment: datetime | None, *, unknown: str = "never") -> SafeString | str:
    """A past moment, relative, with the exact one in reach; the script keeps it true."""
    if moment is None:
        return unknown
    words = f"{duration((clock.now() - moment).total_seconds())} ago"
    return _time(moment, words, "ago")


@register.simple_tag
def until(moment: datetime) -> SafeString:
    """A moment to come: "in 3 h 05 min"; one that has passed: "overdue by …"."""
    left = (moment - clock.now()).total_seconds()
    words = f"in {duration(left)}" if left >= 0 else f"overdue by {duration(-left)}"
    return _time(moment, words, "until")


@register.simple_tag
def since(moment: datetime) -> SafeString:
    """How long something has gone on, such as "41 s"."""
    return _time(moment, duration((clock.now() - moment).total_seconds()), "since")


@register.simple_tag
def exact(moment: datetime | None) -> SafeString | str:
    """The moment itself, in UTC."""
    return _time(moment, moment.astimezone(UTC).strftime(EXACT), "") if moment else "not yet"


def _time(moment: datetime, words: str, kind: str) -> SafeString:
    moment = moment.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}" data-relative="{}">{}</time>',
        moment.isoformat(),
        moment.strftime(EXACT),
        kind,
        words,
    )


@register.filter
def lasting(batch: Any) -> str:
    """From creation to end, of a batch that has ended."""
    return duration(batch.elapsed_seconds(clock.now()))


@register.filter
def sentence(text: str) -> str:
    """With a full stop, unless it ends like a sentence: for text before another sentence."""
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


@register.filter
def short_id(api_id: str) -> str:
    """The part of an id that tells batches apart, short enough to read out."""
    bare = api_id.removeprefix("msgbatch_")
    return bare if len(bare) <= 12 else f"{bare[:12]}…"


@register.filter
def percent(value: float) -> str:
    """A number of percent as SVG takes it, whatever the reader's language."""
    return f"{value:.3f}%"


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The page's own query string with some values changed; empty ones and the page go."""
    params: QueryDict = context["request"].GET.copy()
    for name in ("after", "v", "shown"):
        params.pop(name, None)
    for name, value in changes.items():
        params[name] = str(value)
    # A value too long to be used would only make every link on the page as long.
    for name in [name for name, value in params.items() if not 0 < len(value) <= LONGEST_TEXT]:
        del params[name]
    encoded = params.urlencode()
    return f"?{encoded}" if encoded else "?"
