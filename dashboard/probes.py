"""The health check, the readiness check and the metrics for Prometheus."""

import hmac
from datetime import datetime

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from batches import clock
from batches.models import Cancellation, WorkerProcess, Workspace
from batches.results import reading
from dashboard.access import allow_anyone
from dashboard.list.counts import summary
from dashboard.schema import schema_problem

log = structlog.get_logger(__name__)

# Aliases of the databases whose migrations this process has seen applied. Reading them takes a
# moment, and an applied migration stays applied.
fitting: set[str] = set()


@allow_anyone
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@allow_anyone
@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Whether this process can serve pages: the database answers and has the right tables.

    It does not depend on the API or the worker, because pages are served without them.
    """
    try:
        problem = readiness_problem()
    except Error as error:
        log.warning("database does not answer", error=str(error))
        problem = "the database does not answer"
    if problem:
        return HttpResponse(f"not ready: {problem}\n", status=503, content_type="text/plain")
    return HttpResponse("ready\n", content_type="text/plain")


def readiness_problem() -> str:
    """Raises django.db.Error when the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if connection.alias in fitting:
        return ""
    problem = schema_problem()
    if not problem:
        fitting.add(connection.alias)
    return problem


@allow_anyone
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Metrics of all workspaces, for a superuser or the bearer of BATCHBOARD_METRICS_TOKEN."""
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
        unread.labels(state).set(reading.unread().filter(results_state=state).count())
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
    """Seconds since then; zero for a time in the future, which another machine's clock wrote."""
    return max(0.0, (now - at).total_seconds())


def has_token(request: HttpRequest) -> bool:
    expected = settings.BATCHBOARD_METRICS_TOKEN
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    return (
        bool(expected)
        and scheme == "Bearer"
        and hmac.compare_digest(sent.encode(), expected.encode())
    )
