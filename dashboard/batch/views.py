"""One batch's page and its poll."""

import json
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batches import clock
from batches.models import Batch, Ingestion
from dashboard import live
from dashboard.access import allow, may, visible_batch_or_404
from dashboard.batch.detail import (
    is_awaited,
    is_being_read,
    is_gone,
    is_moving,
    results_context,
)
from dashboard.cards import Card
from dashboard.health import health_of, notices


@allow("see")
@require_safe
def batch_detail(request: HttpRequest, api_id: str) -> HttpResponse:
    batch = visible_batch_or_404(request.user, api_id)
    return render(request, "batch/batch_detail.html", detail_context(request, batch))


@allow("see")
@require_safe
def batch_detail_live(request: HttpRequest, api_id: str) -> HttpResponse:
    """What one batch's page polls."""
    batch = visible_batch_or_404(request.user, api_id)
    seen = live.Version.parse(request.GET.get("v", ""))
    current = detail_version(batch, clock.now())
    if seen == current:
        return live.unchanged([batch.workspace])
    context = detail_context(request, batch) | {"has_health_news": seen.health != current.health}
    return render(request, "batch/batch_detail.html#live-answer", context)


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
