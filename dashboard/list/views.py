"""The list and its poll."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from batches import clock
from dashboard import live
from dashboard.access import allow, may, visible_batches, visible_workspaces
from dashboard.cards import cards_of
from dashboard.health import health_of, notices
from dashboard.list.counts import summary, tabs, total
from dashboard.list.listing import Listing, read_listing
from dashboard.list.pages import page_of, pager_of
from dashboard.list.polling import (
    changing_batches,
    count_waiting,
    moment_of,
    next_change,
    poll_address,
    read_poll,
    still_matching,
)
from dashboard.list.suggestions import meant


@allow("see")
@require_safe
def batch_list(request: HttpRequest) -> HttpResponse:
    if not all(value for _, values in request.GET.lists() for value in values):
        return redirect(_without_empty(request))
    now = clock.now()
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    context = list_context(request, listing, now)
    cards, whole_id = context["cards"], listing.whole_id
    if whole_id and not listing.cursor and cards and cards[0].batch.api_id == whole_id:
        return redirect(cards[0].batch)
    if whole_id and not cards:
        # A batch that is not mirrored yet can be looked up at Anthropic.
        context["whole_id"] = whole_id
        context["is_excluded"] = visible_batches(request.user).filter(api_id=whole_id).exists()
    return render(request, "list/batch_list.html", context)


def _without_empty(request: HttpRequest) -> str:
    """The address without parameters that have no value."""
    query = request.GET.copy()
    for name, values in list(query.lists()):
        query.setlist(name, [value for value in values if value])
    encoded = query.urlencode()
    return f"{request.path}?{encoded}" if encoded else request.path


@allow("see")
@require_safe
def batch_live(request: HttpRequest) -> HttpResponse:
    """The list's poll: 204 when nothing that the person can see has changed.

    A page without cards that some would be on now is answered with all of the list.
    """
    now = clock.now()
    watched = live.watched_by(request.user)
    changes_at = moment_of(request.GET)
    is_due = changes_at is not None and changes_at <= now
    seen = live.Version.parse(request.GET.get("v", ""))
    if not is_due and seen == live.Version.of(watched, now):
        return live.unchanged(watched)
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    page = read_poll(request.GET, listing.sort)
    waiting = count_waiting(listing, page)
    if waiting and not page.shown:
        context = list_context(request, listing, now) | {"has_health_news": True}
        answer = render(request, "list/batch_list.html#whole-answer", context)
        answer["HX-Retarget"], answer["HX-Reswap"] = "#list", "outerHTML"
        return answer
    cards = cards_of(changing_batches(listing, page), now, may_cancel=may(request.user, "cancel"))
    changed = [card for card in cards if page.has_changed(card)]
    still = still_matching(listing, [card.batch for card in changed])
    count = total(listing, now)
    version = live.Version.of(listing.workspaces, now)
    context = page_context(listing, now) | {
        "changed": [replace(card, has_left=card.batch.pk not in still) for card in changed],
        "waiting": waiting,
        "pager": pager_of(listing, page.window, len(page.shown), count),
        "live_address": poll_address(
            listing, version, page.made_at, page.window, next_change(cards, now)
        ),
        # Swapped only when it changes, because screen readers read it out on every swap.
        "has_health_news": seen.health != version.health,
    }
    return render(request, "list/batch_list.html#live-answer", context)


def list_context(request: HttpRequest, listing: Listing, now: datetime) -> dict[str, Any]:
    """What the page shows: a page of cards, and what it shares with its poll."""
    count = total(listing, now)
    page = page_of(listing, count)
    cards = cards_of(page.batches, now, may_cancel=may(request.user, "cancel"))
    version = live.Version.of(listing.workspaces, now)
    return page_context(listing, now) | {
        "cards": cards,
        "pager": pager_of(listing, page.window, len(cards), count),
        "live_address": poll_address(
            listing, version, version.revision, page.window, next_change(cards, now)
        ),
        "meant": [] if cards or listing.cursor else meant(listing),
    }


def page_context(listing: Listing, now: datetime) -> dict[str, Any]:
    """What the list and its poll share: tabs, summary, health, version and pace."""
    figures = summary(listing.workspaces, now)
    healths = [health_of(workspace, now) for workspace in listing.workspaces]
    # People also wait for the page to fill during the first sync.
    is_filling = any(health.word == "waiting" or health.is_listing for health in healths)
    return {
        "listing": listing,
        # Templates take long to look for a name that nothing has set.
        "oob": False,
        "now": now,
        "tabs": tabs(listing, now),
        "summary": figures,
        "healths": healths,
        "notices": notices(healths),
        "version": str(live.Version.of(listing.workspaces, now)),
        "poll_seconds": live.ACTIVE_SECONDS if figures.active or is_filling else live.IDLE_SECONDS,
    }
