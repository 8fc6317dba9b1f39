"""For probes: is it alive, can it work, and figures for Prometheus."""

import hmac

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from batches import clock, results
from batches.models import Cancellation, Workspace
from dashboard.access import allow_anyone, may
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
    """For a signed-in person, or a scraper with BATCHBOARD_METRICS_TOKEN as bearer token."""
    if not (has_token(request) or may(request.user, "see")):
        return HttpResponse("Sign in, or send the metrics token.\n", status=401)
    now = clock.now()
    registry = CollectorRegistry()
    batches = Gauge("batchboard_batches_active", "Batches that have not ended", registry=registry)
    requests = Gauge("batchboard_requests_processing", "Requests in them", registry=registry)
    open_ = Gauge("batchboard_cancellations_open", "Cancels not confirmed yet", registry=registry)
    unread = Gauge("batchboard_results_unread", "Ended batches whose results are not read",
                   ["state"], registry=registry)  # fmt: skip
    failures = Gauge("batchboard_sync_failures", "Failed rounds in a row", ["workspace"],
                     registry=registry)  # fmt: skip
    age = Gauge("batchboard_sync_age_seconds", "Since last heard", ["workspace"],
                registry=registry)  # fmt: skip
    workspaces = list(Workspace.objects.for_pages())
    strip = summary(workspaces, now)
    batches.set(strip.active)
    requests.set(strip.processing)
    open_.set(Cancellation.objects.open().count())
    for state in ("pending", "unreadable"):
        unread.labels(state).set(results.unread().filter(results_state=state).count())
    for workspace in workspaces:
        failures.labels(workspace.slug).set(workspace.attempts)
        if workspace.last_synced_at:
            heard = (now - workspace.last_synced_at).total_seconds()
            age.labels(workspace.slug).set(max(0.0, heard))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def has_token(request: HttpRequest) -> bool:
    expected = settings.BATCHBOARD_METRICS_TOKEN
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    return (
        bool(expected)
        and scheme == "Bearer"
        and hmac.compare_digest(sent.encode(), expected.encode())
    )
