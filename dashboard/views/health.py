"""For probes: is it alive, can it work, and figures for Prometheus."""

import hmac
from datetime import datetime

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from batches import clock, results
from batches.models import Cancellation, WorkerProcess, Workspace
from dashboard.access import allow_anyone
from dashboard.health import health_of
from dashboard.tallies import summary


@allow_anyone
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@allow_anyone
@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Whether the database answers and every enabled workspace is fresh; names nothing."""
    now = clock.now()
    try:
        enabled = list(Workspace.objects.for_pages().filter(is_enabled=True))
    except DatabaseError:
        return HttpResponse("not ready: the database\n", status=503, content_type="text/plain")
    if any(health_of(workspace, now).word != "fresh" for workspace in enabled):
        return HttpResponse("not ready: the mirror\n", status=503, content_type="text/plain")
    return HttpResponse("ready\n", content_type="text/plain")


@allow_anyone
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Of all workspaces: for a superuser, or a scraper with BATCHBOARD_METRICS_TOKEN as bearer."""
    if not (has_token(request) or request.user.is_superuser):
        if request.user.is_authenticated:
            raise PermissionDenied
        return HttpResponse("Send the metrics token.\n", status=401, content_type="text/plain")
    return HttpResponse(generate_latest(measured(clock.now())), content_type=CONTENT_TYPE_LATEST)


def measured(now: datetime) -> CollectorRegistry:
    registry = CollectorRegistry()

    def gauge(name: str, help_: str, *labels: str) -> Gauge:
        return Gauge(f"batchboard_{name}", help_, labels, registry=registry)

    workspaces = list(Workspace.objects.for_pages())
    strip = summary(workspaces, now)
    gauge("batches_active", "Batches that have not ended").set(strip.active)
    gauge("requests_processing", "Requests in them").set(strip.processing)
    open_ = gauge("cancellations_open", "Cancel requests that are not confirmed yet")
    open_.set(Cancellation.objects.open().count())
    unread = gauge("results_unread", "Ended batches whose results are not read", "state")
    for state in ("pending", "unreadable"):
        unread.labels(state).set(results.unread().filter(results_state=state).count())
    seen = gauge("worker_last_seen_seconds", "Since a worker did this kind of work", "kind")
    for kind, at in WorkerProcess.objects.last_seen().items():
        seen.labels(kind).set(age(at, now))
    failures = gauge("sync_failures", "Failed rounds in a row", "workspace")
    synced = gauge("sync_age_seconds", "Since the last sync", "workspace")
    held = gauge("workspace_hold", "1 while nothing but a round calls the API", "workspace", "hold")
    for workspace in workspaces:
        failures.labels(workspace.slug).set(workspace.attempts)
        for hold in Workspace.Hold.values:
            held.labels(workspace.slug, hold).set(workspace.hold == hold)
        if workspace.last_synced_at:
            synced.labels(workspace.slug).set(age(workspace.last_synced_at, now))
    return registry


def age(at: datetime, now: datetime) -> float:
    """Seconds since then; zero for a time ahead, which another clock wrote."""
    return max(0.0, (now - at).total_seconds())


def has_token(request: HttpRequest) -> bool:
    expected = settings.BATCHBOARD_METRICS_TOKEN
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    return (
        bool(expected)
        and scheme == "Bearer"
        and hmac.compare_digest(sent.encode(), expected.encode())
    )
