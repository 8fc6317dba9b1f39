"""The list and its poll."""

from datetime import datetime
from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from batches import clock
from batches.models import Batch
from dashboard import live
from dashboard.access import allow, may, visible_batches, visible_workspaces
from dashboard.cards import Card
from dashboard.cards import cards_of as all_cards_of
from dashboard.health import health_of, notices
from dashboard.list.counts import summary, tabs
from dashboard.list.listing import PAGE_SIZE, Listing, read_listing
from dashboard.query_form import row_key

# A page with this many cards offers new batches as a link instead of adding them.
MOST_SHOWN = 2 * PAGE_SIZE


@allow("see")
@require_safe
def batch_list(request: HttpRequest) -> HttpResponse:
    now = clock.now()
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    batches, following = listing.page()
    whole_id = listing.whole_id
    if whole_id and not listing.cursor and batches and batches[0].api_id == whole_id:
        return redirect(batches[0])
    context = page_context(listing, now) | {
        "cards": cards_of(batches, request, now),
        "following": following,
    }
    if whole_id and not batches:
        # A batch that is not mirrored yet can be looked up at Anthropic.
        context["whole_id"] = whole_id
        context["is_excluded"] = visible_batches(request.user).filter(api_id=whole_id).exists()
    return render(request, "list/batch_list.html", context)


@allow("see")
@require_safe
def batch_live(request: HttpRequest) -> HttpResponse:
    """The list's poll: 204 when nothing that the person can see has changed."""
    now = clock.now()
    watched = live.watched_by(request.user)
    seen = live.Version.parse(request.GET.get("v", ""))
    if seen == live.Version.of(watched, now):
        return live.unchanged(watched)
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    shown = shown_keys(request)
    changed = changed_batches(listing, seen.revision, shown)
    new, others = new_batches(listing, seen.revision, shown or [])
    # Rows below must not move, so on a page with rows the new ones wait until they are asked for.
    has_rows = any(shown or [])
    context = page_context(listing, now) | {
        "changed": cards_of(changed, request, now),
        "new": [] if has_rows else cards_of(new, request, now),
        "waiting": others + len(new) if has_rows else others,
        # Swapped only when it changes, because screen readers read it out on every swap.
        "has_health_news": seen.health != live.Version.of(listing.workspaces, now).health,
    }
    return render(request, "list/batch_list.html#live-answer", context)


def page_context(listing: Listing, now: datetime) -> dict[str, Any]:
    """What the list and its poll share: tabs, summary, health, version and pace."""
    figures = summary(listing.workspaces, now)
    healths = [health_of(workspace, now) for workspace in listing.workspaces]
    # People also wait for the page to fill during the first sync.
    is_filling = any(health.word == "waiting" or health.is_listing for health in healths)
    return {
        "listing": listing,
        "now": now,
        "tabs": tabs(listing, now),
        "summary": figures,
        "healths": healths,
        "notices": notices(healths),
        "version": str(live.Version.of(listing.workspaces, now)),
        "poll_seconds": live.ACTIVE_SECONDS if figures.active or is_filling else live.IDLE_SECONDS,
    }


def cards_of(batches: list[Batch], request: HttpRequest, now: datetime) -> list[Card]:
    return all_cards_of(batches, now, may_cancel=may(request.user, "cancel"))


def shown_keys(request: HttpRequest) -> list[int] | None:
    """The primary keys of the batches on the page; None if the request doesn't list them."""
    shown = request.GET.getlist("shown")[: 2 * MOST_SHOWN]
    if not shown:
        return None
    return [key for key in map(row_key, shown) if key is not None]


def changed_batches(listing: Listing, revision: int, shown: list[int] | None) -> list[Batch]:
    """The changed batches of those on the page; of all that match if `shown` is None.

    A batch that no longer matches the tab stays on the page in its new state, so that it doesn't
    vanish while someone looks at it.
    """
    if shown is None:
        changed = listing.matching().changed_since(revision)
    else:
        changed = listing.everything().filter(pk__in=shown).changed_since(revision)
    return list(listing.with_cards(changed).order_by("-created_at", "-id")[:MOST_SHOWN])


def new_batches(listing: Listing, revision: int, shown: list[int]) -> tuple[list[Batch], int]:
    """Batches first mirrored after the page was made: those for its top, and how many others.

    Batches newer than all on the page go to its top. Older ones, as the first sync finds them,
    would be out of order there, so the page offers a link to reload.
    """
    if not shown or listing.cursor or listing.sort == "oldest":
        return [], 0
    on_page = listing.everything().filter(pk__in=shown)
    newest = on_page.aggregate(newest=Max("created_at"))["newest"]
    new = listing.matching().filter(first_revision__gt=revision).exclude(pk__in=shown)
    found = list(listing.with_cards(new).order_by("-created_at", "-id")[: PAGE_SIZE + 1])
    top = [batch for batch in found if newest is None or batch.created_at > newest]
    if len(shown) + len(top) > MOST_SHOWN:
        top = []
    return top, len(found) - len(top)
