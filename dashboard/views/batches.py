"""The list, its poll, and one batch."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from batches import connect, sync
from batches.client import ApiError
from batches.models import Batch
from dashboard import live
from dashboard.access import allow, may, visible_batch_or_404, visible_workspaces
from dashboard.cards import Card
from dashboard.detail import is_moving, results_context
from dashboard.listing import PAGE_SIZE, Listing, read_listing
from dashboard.tallies import summary, tabs

# A page that has grown to this many cards by polling says so instead of growing on.
MOST_SHOWN = 2 * PAGE_SIZE
# From its creation on, the API keeps a batch's results for so long (api.md: archived_at).
RESULTS_KEPT = timedelta(days=29)


@allow("see")
@require_safe
def batch_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    listing = read_listing(request.GET, list(visible_workspaces(request.user)))
    batches, following = listing.page()
    if not batches and not listing.cursor:
        found, problem = look_up(listing)
        if found:
            return redirect(found)
        listing.problems.extend(problem)
    context = page_context(listing, now) | {
        "cards": cards_of(batches, request, now),
        "following": following,
    }
    return render(request, "batches/batch_list.html", context)


@allow("see")
@require_safe
def batch_live(request: HttpRequest) -> HttpResponse:
    """What the list polls: 204 when nothing that this person can see has changed."""
    now = timezone.now()
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
    if seen == detail_version(batch, timezone.now()):
        return unchanged([batch.workspace])
    return render(request, "batches/batch_detail.html#live-answer", detail_context(request, batch))


def page_context(listing: Listing, now: datetime) -> dict[str, Any]:
    """What list and poll share: tabs, summary, freshness, version and pace."""
    strip = summary(listing.workspaces, now)
    healths = [live.health_of(workspace, now) for workspace in listing.workspaces]
    # During the first round, too, somebody waits for the page to fill.
    is_moving = strip.active or any(health.word == "waiting" for health in healths)
    return {
        "listing": listing,
        "now": now,
        "tabs": tabs(listing, now),
        "summary": strip,
        "healths": healths,
        "version": str(live.Version.of(listing.workspaces, now)),
        "poll_seconds": live.ACTIVE_SECONDS if is_moving else live.IDLE_SECONDS,
    }


def detail_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    now = timezone.now()
    card = Card(batch, now, may(request.user, "cancel"))
    return {
        "batch": batch,
        "now": now,
        "card": card,
        "health": live.health_of(batch.workspace, now),
        **results_context(card),
        "observations": batch.observations.all()[:500],
        "results_expire_at": batch.created_at + RESULTS_KEPT,
        "raw": json.dumps(batch.raw, indent=2, ensure_ascii=False),
        "version": str(detail_version(batch, now)),
        "poll_seconds": live.ACTIVE_SECONDS if is_moving(batch, now) else live.IDLE_SECONDS,
    }


def detail_version(batch: Batch, now: datetime) -> live.Version:
    return live.Version(batch.revision, live.Version.of([batch.workspace], now).health)


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
    return list(changed.for_cards().order_by("-created_at", "-id")[:MOST_SHOWN])


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
    found = list(new.for_cards().order_by("-created_at", "-id")[: PAGE_SIZE + 1])
    top = [batch for batch in found if newest is None or batch.created_at > newest]
    if len(shown) + len(top) > MOST_SHOWN:
        top = []
    return top, len(found) - len(top)


def look_up(listing: Listing) -> tuple[Batch | None, list[str]]:
    """A whole id that is not mirrored yet is asked of the API (ux.md 15)."""
    wanted = str(listing.chosen.get("q") or "").replace(" ", "")
    if not wanted.startswith("msgbatch_") or not wanted.replace("_", "").isalnum():
        return None, []
    here = next((b for b in listing.everything().filter(api_id=wanted)), None)
    if here:
        return here, []
    problems = []
    for workspace in listing.workspaces:
        try:
            found = sync.fetch_one(workspace, wanted)
        except (ApiError, connect.NoKey) as error:
            problems.append(f"{workspace.name} could not be asked for {wanted}: {error}")
        else:
            if found:
                return found, []
    return None, problems
