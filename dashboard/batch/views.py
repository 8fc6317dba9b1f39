"""One batch's page and its poll."""

import json
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batches import clock
from batches.mirror.throughput import throughput
from batches.models import Batch
from dashboard import live
from dashboard.access import allow, may, visible_batch_or_404
from dashboard.batch.awaited import (
    is_awaited,
    is_being_read,
    is_moving,
    is_unavailable,
    reading_of,
)
from dashboard.batch.back import list_url
from dashboard.batch.fetch import Fetch
from dashboard.batch.header import header_context
from dashboard.batch.kit import unsuccessful_context
from dashboard.batch.outcomes import outcomes_context
from dashboard.batch.progress import speed_words, time_left_words
from dashboard.batch.receipts import receipts
from dashboard.batch.resubmits import Links
from dashboard.batch.usage import usage_context
from dashboard.cards import Card
from dashboard.health import health_of, notices

MOST_OBSERVATIONS = 100


@allow("see")
@require_safe
def batch_detail(request: HttpRequest, api_id: str) -> HttpResponse:
    batch = visible_batch_or_404(request.user, api_id)
    return render(request, "batch/batch_detail.html", page_context(request, batch))


@allow("see")
@require_safe
def batch_detail_live(request: HttpRequest, api_id: str) -> HttpResponse:
    """The page's poll: 204 when nothing on the page has changed."""
    batch = visible_batch_or_404(request.user, api_id)
    seen = live.Version.parse(request.GET.get("v", ""))
    current = page_version(batch, clock.now())
    if seen == current:
        return live.unchanged([batch.workspace])
    context = page_context(request, batch) | {"has_health_news": seen.health != current.health}
    return render(request, "batch/batch_detail.html#live-answer", context)


def page_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    """The whole page, part by part as its template shows it."""
    now = clock.now()
    card = Card(batch, now, may(request.user, "cancel"))
    health = health_of(batch.workspace, now)
    reading = reading_of(batch)
    observations = list(batch.observations.order_by("-seen_from", "-id")[:MOST_OBSERVATIONS])
    speed = throughput(batch, observations)
    return {
        **header_context(card),
        "back_url": list_url(request),
        "now": now,
        "health": health,
        "notices": notices([health]),
        "version": str(page_version(batch, now)),
        "poll_seconds": live.ACTIVE_SECONDS if is_moving(batch, now) else live.IDLE_SECONDS,
        "receipts": receipts(batch, card.cost),
        "results_expire_at": batch.results_expire_at,
        "reading": reading,
        "is_read": batch.has_figures,
        "is_unavailable": is_unavailable(batch, now),
        **usage_context(card, reading),
        **outcomes_context(batch, reading),
        **unsuccessful_context(batch),
        "links": Links.of(batch, now),
        "speed_words": speed_words(speed),
        "time_left": time_left_words(batch, speed, now),
        "observations": observations,
        "most_observations": MOST_OBSERVATIONS,
        "fetch": Fetch.of(batch),
        "raw": json.dumps(batch.raw, indent=2, ensure_ascii=False),
    }


def page_version(batch: Batch, now: datetime) -> live.Version:
    """Includes what changes with the clock, and the attempts to read the results."""
    card = Card(batch, now, may_cancel=False)
    rest: tuple[object, ...] = (
        card.is_late_canceling,
        card.expires_soon,
        is_unavailable(batch, now),
    )
    if is_awaited(batch):
        reading = reading_of(batch)
        attempt = (reading.attempts, reading.next_attempt_at) if reading else ()
        rest += (attempt, is_being_read(reading, now))
    health = live.Version.of([batch.workspace], now).health
    return live.Version(batch.revision, health, live.digest(rest))
