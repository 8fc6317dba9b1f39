"""Template tags and filters for times, durations, IDs, icons and query strings."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django import template
from django.http import QueryDict
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from batches import clock
from batches.search import ID_PREFIX
from dashboard import bundles
from dashboard.display import exact_words, zone_of
from dashboard.icons import NAMES, SPRITE
from dashboard.query_form import LONGEST_QUOTED
from dashboard.words import duration

register = template.Library()


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, size: int = 16) -> SafeString:
    """An icon next to a word, hidden from screen readers. Cached, because a page has hundreds.

    Raises LookupError for a name that `dashboard.icons` doesn't have.
    """
    if name not in NAMES:
        raise LookupError(f"The icon {name!r} is not in dashboard/icons.py.")
    return format_html(
        '<svg class="icon"{} aria-hidden="true"><use href="{}#{}"/></svg>',
        # The size of the others is in css/base.css.
        format_html(' width="{0}" height="{0}"', size) if size != 16 else "",
        static(f"img/{SPRITE.name}"),
        name,
    )


@register.simple_tag
def bundle(name: str) -> SafeString:
    """The elements that load a bundle of style sheets or scripts.

    Raises KeyError for a name that `dashboard.bundles` doesn't have.
    """
    return bundles.links(name)


@register.simple_tag(takes_context=True)
def ago(
    context: template.Context, moment: datetime | None, *, unknown: str = "never"
) -> SafeString | str:
    """A past time, such as "3 min ago", with the exact one as its title; a script updates it."""
    if moment is None:
        return unknown
    words = f"{duration((clock.now() - moment).total_seconds())} ago"
    return _time(context, moment, words, "ago")


@register.simple_tag(takes_context=True)
def until(context: template.Context, moment: datetime) -> SafeString:
    """A future time, such as "in 3 h 05 min"; "overdue by …" once it has passed."""
    left = (moment - clock.now()).total_seconds()
    words = f"in {duration(left)}" if left >= 0 else f"overdue by {duration(-left)}"
    return _time(context, moment, words, "until")


@register.simple_tag(takes_context=True)
def since(context: template.Context, moment: datetime) -> SafeString:
    """The time since then, such as "41 s"."""
    words = duration((clock.now() - moment).total_seconds())
    return _time(context, moment, words, "since")


@register.simple_tag(takes_context=True)
def exact(context: template.Context, moment: datetime | None) -> SafeString | str:
    """The exact time, in UTC and the person's time zone."""
    return _time(context, moment, "", "") if moment else "not yet"


def _time(context: template.Context, moment: datetime, words: str, kind: str) -> SafeString:
    request = context.get("request")
    title = exact_words(moment, zone_of(request) if request else None)
    return format_html(
        '<time datetime="{}" title="{}" data-relative="{}">{}</time>',
        f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        title,
        kind,
        words or title,
    )


@register.simple_tag(takes_context=True)
def here(context: template.Context, address: str, below: str = "") -> SafeString:
    """The attribute of a link in the navigation: for its own page, or for pages below it."""
    path = context["request"].path
    if path == address:
        return format_html(' aria-current="{}"', "page")
    is_below = path.startswith(address + below)
    return format_html(' aria-current="{}"', "true") if is_below else SafeString("")


@register.filter
def lasting(batch: Any) -> str:
    """How long an ended batch took."""
    return duration(batch.elapsed_seconds(clock.now()))


@register.filter
def sentence(text: str) -> str:
    """Adds a period unless the text ends like a sentence."""
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


@register.filter
def short_id(api_id: str) -> str:
    """The beginning of an ID without its prefix, short enough to read out."""
    bare = api_id.removeprefix(ID_PREFIX)
    return bare if len(bare) <= 12 else f"{bare[:12]}…"


@register.filter
def percent(value: float) -> str:
    """A percentage as SVG needs it, in any language."""
    return f"{value:.3f}%"


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The page's query string with some values changed, without empty ones and the cursors."""
    params: QueryDict = context["request"].GET.copy()
    for name in ("after", "before", "v", "shown"):
        params.pop(name, None)
    for name, value in changes.items():
        params[name] = str(value)
    # A value that is too long is not valid, and would make every link on the page as long.
    for name in [name for name, value in params.items() if not 0 < len(value) <= LONGEST_QUOTED]:
        del params[name]
    encoded = params.urlencode()
    return f"?{encoded}" if encoded else "?"
