import re
from datetime import timedelta

import pytest
from django.utils import timezone

from batches.models import Workspace
from tests.dashboard.batch.batch_page import add_cancellation


@pytest.fixture
def scraped(client, settings, db):
    """A function that gives the figures as Prometheus reads them, by name and labels."""
    settings.BATCHBOARD_METRICS_TOKEN = "token"

    def scraped() -> dict[str, float]:
        response = client.get("/metrics", headers={"Authorization": "Bearer token"})
        lines = re.findall(r"^(batchboard_\S+) (\S+)$", response.text, re.MULTILINE)
        return {name: float(figure) for name, figure in lines}

    return scraped


@pytest.mark.parametrize("sent", ["", "Bearer wrong", "Bearer ", "Basic token", "token"])
def test_metrics_need_the_token(client, db, settings, sent):
    settings.BATCHBOARD_METRICS_TOKEN = "token"

    response = client.get("/metrics", headers={"Authorization": sent} if sent else {})

    assert response.status_code == 401
    assert "batchboard_" not in response.text


def test_without_a_token_in_the_settings_no_token_works(client, db):
    for sent in ("", "Bearer ", "Bearer x"):
        assert client.get("/metrics", headers={"Authorization": sent}).status_code == 401


@pytest.mark.parametrize("role", ["viewer", "operator", "lead", "admin"])
def test_no_role_may_see_the_metrics_of_all_teams(sign_in, row, role):
    row("one")

    response = sign_in(role).get("/metrics")

    assert response.status_code == 403
    assert "batchboard_" not in response.text
    assert "research" not in response.text


def test_a_superuser_sees_them(client, admin_user, row):
    row("one")
    client.force_login(admin_user)

    assert "batchboard_batches_active 1.0" in client.get("/metrics").text


def test_metrics_count_active_batches_and_waiting_work(row, scraped):
    add_cancellation(row("one", processing=7), state="requested")
    row("waiting", processing_status="ended")
    row("broken", processing_status="ended", results_state="unreadable")
    row("read", processing_status="ended", results_state="read")

    figures = scraped()

    assert figures["batchboard_batches_active"] == 1
    assert figures["batchboard_requests_processing"] == 7
    assert figures["batchboard_cancellations_open"] == 1
    assert figures['batchboard_results_unread{state="pending"}'] == 1
    assert figures['batchboard_results_unread{state="unreadable"}'] == 1


def test_each_kind_of_work_says_when_a_worker_was_seen_doing_it(running_worker, scraped):
    running_worker.kinds = ",cancel,sync,"
    running_worker.seen_at = timezone.now() - timedelta(seconds=40)
    running_worker.save()

    figures = scraped()

    assert 40 <= figures['batchboard_worker_last_seen_seconds{kind="sync"}'] < 50
    assert 40 <= figures['batchboard_worker_last_seen_seconds{kind="cancel"}'] < 50
    assert 'batchboard_worker_last_seen_seconds{kind="results"}' not in figures


@pytest.mark.parametrize(("ago", "least"), [(timedelta(minutes=2), 120), (-timedelta(hours=1), 0)])
def test_the_age_of_a_sync_is_never_negative(workspace, scraped, running_worker, ago, least):
    at = timezone.now() - ago
    Workspace.objects.filter(pk=workspace.pk).update(last_synced_at=at)
    type(running_worker).objects.update(seen_at=at)

    figures = scraped()

    assert least <= figures['batchboard_sync_age_seconds{workspace="research"}'] < least + 10
    assert figures['batchboard_worker_last_seen_seconds{kind="sync"}'] >= 0


def test_a_workspace_that_never_synced_has_no_age(workspace, scraped):
    assert 'batchboard_sync_age_seconds{workspace="research"}' not in scraped()


def test_holds_and_failures_are_reported_by_workspace(workspace, other_workspace, scraped):
    Workspace.objects.filter(pk=workspace.pk).update(hold="refused", attempts=3)

    figures = scraped()

    assert figures['batchboard_workspace_hold{hold="refused",workspace="research"}'] == 1
    assert figures['batchboard_workspace_hold{hold="foreign",workspace="research"}'] == 0
    assert figures['batchboard_workspace_hold{hold="refused",workspace="production"}'] == 0
    assert figures['batchboard_sync_failures{workspace="research"}'] == 3
