"""The list, its poll, and one batch."""

import json
from datetime import datetime
from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from batches import clock
from batches.models import Batch, Ingestion
from dashboard import live
from dashboard.access import allow, may, visible_batch_or_404, visible_batches, visible_workspaces
from dashboard.cards import Card
from dashboard.detail import (
    is_awaited,
    is_being_read,
    is_gone,
    is_moving,
    results_context,
)
from dashboard.health import health_of, notices
from dashboard.listing import PAGE_SIZE, Listing, read_listing
from dashboard.tallies import summary, tabs

# A page that has grown to this many cards by polling says so instead of growing on.
MOST_SHOWN = 2 * PAGE_SIZE


@allow("see")
@require_safe
def batch_list(request: HttpRequest) -> HttpResponse:
    now = clock.now()
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    batches, following = listing.page()
    wanted = listing.whole_id
    if wanted and not listing.cursor and batches and batches[0].api_id == wanted:
        return redirect(batches[0])
    context = page_context(listing, now) | {
        "cards": cards_of(batches, request, now),
        "following": following,
    }
    if wanted and not batches:
        # One that is not mirrored yet can be looked up at Anthropic (ux.md 15).
        context["wanted"] = wanted
        context["left_out"] = visible_batches(request.user).filter(api_id=wanted).exists()
    return render(request, "batches/batch_list.html", context)


@allow("see")
@require_safe
def batch_live(request: HttpRequest) -> HttpResponse:
    """What the list polls: 204 when nothing that this person can see has changed."""
    now = clock.now()
    watched = live.watched_by(request.user)
    seen = live.Version.parse(request.GET.get("v", ""))
    if seen == live.Version.of(watched, now):
        return unchanged(watched)
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    shown = shown_keys(request)
    changed = changed_batches(listing, seen.revision, shown)
    new, unshown = new_batches(listing, seen.revision, shown or [])
    context = page_context(listing, now) | {
        "changed": cards_of(changed, request, now),
        "new": cards_of(new, request, now),
        "unshown": unshown,
        # Swapped only when it changes, as screen readers read out what is swapped there.
        "has_health_news": seen.health != live.Version.of(listing.workspaces, now).health,
    }
    return render(request, "batches/batch_list.html#live-answer", context)


@allow("see")
@require_safe
def batch_detail(request: HttpRequest, api_id: str) -> HttpResponse:
    batch = visible_batch_or_404(request.user, api_id)
    return render(request, "batches/batch_detail.html", detail_context(request, batch))


@allow("see")
@require_safe
def batch_detail_live(request: HttpRequest, api_id: str) -> HttpResponse:
    """What one batch's page polls."""
    batch = visible_batch_or_404(request.user, api_id)
    seen = live.Version.parse(request.GET.get("v", ""))
    current = detail_version(batch, clock.now())
    if seen == current:
        return unchanged([batch.workspace])
    context = detail_context(request, batch) | {"has_health_news": seen.health != current.health}
    return render(request, "batches/batch_detail.html#live-answer", context)


def page_context(listing: Listing, now: datetime) -> dict[str, Any]:
    """What list and poll share: tabs, summary, freshness, version and pace."""
    strip = summary(listing.workspaces, now)
    healths = [health_of(workspace, now) for workspace in listing.workspaces]
    # During the first sync, too, someone waits for the page to fill.
    is_filling = any(health.word == "waiting" or health.is_listing for health in healths)
    return {
        "listing": listing,
        "now": now,
        "tabs": tabs(listing, now),
        "summary": strip,
        "healths": healths,
        "notices": notices(healths),
        "version": str(live.Version.of(listing.workspaces, now)),
        "poll_seconds": live.ACTIVE_SECONDS if strip.active or is_filling else live.IDLE_SECONDS,
    }


def detail_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    now = clock.now()
    card = Card(batch, now, may(request.user, "cancel"))
    health = health_of(batch.workspace, now)
    return {
        "batch": batch,
        "now": now,
        "card": card,
        "health": health,
        "notices": notices([health]),
        **results_context(card),
        "observations": batch.observations.all()[:500],
        "results_expire_at": batch.results_expire_at,
        "raw": json.dumps(batch.raw, indent=2, ensure_ascii=False),
        "version": str(detail_version(batch, now)),
        "poll_seconds": live.ACTIVE_SECONDS if is_moving(batch, now) else live.IDLE_SECONDS,
    }


def detail_version(batch: Batch, now: datetime) -> live.Version:
    """With what changes with the clock, and with the attempts to read the results."""
    card = Card(batch, now, may_cancel=False)
    rest: tuple[object, ...] = (card.is_late_canceling, card.expires_soon, is_gone(batch, now))
    if is_awaited(batch):
        reading = Ingestion.objects.filter(pk=batch.pk).first()
        attempt = (reading.attempts, reading.next_attempt_at) if reading else ()
        rest += (attempt, is_being_read(reading, now))
    health = live.Version.of([batch.workspace], now).health
    return live.Version(batch.revision, health, live.digest(rest))


def unchanged(workspaces: list[Any]) -> HttpResponse:
    """204, which htmx does not swap; the header lets the page keep its "as of" true."""
    answer = HttpResponse(status=204)
    answer["HX-Trigger"] = json.dumps({"heard": live.as_of(workspaces)})
    return answer


def cards_of(batches: list[Batch], request: HttpRequest, now: datetime) -> list[Card]:
    may_cancel = may(request.user, "cancel")
    return [Card(batch, now, may_cancel) for batch in batches]


def shown_keys(request: HttpRequest) -> list[int] | None:
    """The batches that the page shows, by primary key; None when it doesn't say."""
    shown = request.GET.getlist("shown")[: 2 * MOST_SHOWN]
    if not shown:
        return None
    return [int(pk) for pk in shown if pk.isascii() and pk.isdigit() and len(pk) < 19]


def changed_batches(listing: Listing, revision: int, shown: list[int] | None) -> list[Batch]:
    """Changed since, of those on the page, or of all that match when it doesn't say.

    One that no longer matches its tab stays where it is, with its new look: it must not vanish
    from under somebody's eyes.
    """
    if shown is None:
        changed = listing.matching().changed_since(revision)
    else:
        changed = listing.everything().filter(pk__in=shown).changed_since(revision)
    return list(listing.with_cards(changed).order_by("-created_at", "-id")[:MOST_SHOWN])


def new_batches(listing: Listing, revision: int, shown: list[int]) -> tuple[list[Batch], int]:
    """Mirrored since the page was made: those for its top, and how many belong elsewhere.

    At the top belongs what is newer than all that is shown. The others, as the first round
    brings them, would stand in the wrong order there: the page offers to be read anew.
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
