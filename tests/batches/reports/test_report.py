"""Fetching Anthropic's cost report: once an hour, all or nothing, with a key of its own."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
import time_machine
from django.utils import timezone

from batches import connect
from batches.models import ClaimLost, CostReport, ReportedCost
from batches.reports import fetch as report
from tests.client.upstream import Upstream, refusal, reply
from tests.working import claim

KEY = "sk-ant-admin01-0123456789"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
COST = "/v1/organizations/analytics/cost"
NO_NAMES = reply(json={"data": [], "has_more": False})


@pytest.fixture(autouse=True)
def _no_waits(no_waits):
    pass


@pytest.fixture
def admin(settings, db):
    settings.ANTHROPIC_ADMIN_KEY = KEY
    yield
    connect.forget_clients()


@pytest.fixture
def upstream(monkeypatch, admin):
    """A function that sets what the API answers for the report, and returns the API."""

    def upstream(*replies, workspaces=NO_NAMES) -> Upstream:
        costs = Upstream(*replies)

        def answer(request: httpx.Request) -> httpx.Response:
            return costs(request) if request.url.path.endswith(COST) else workspaces(request)

        connect.forget_clients()
        monkeypatch.setattr(connect, "transport", lambda: httpx.MockTransport(answer))
        return costs

    return upstream


def body(*rows, next_page=None, refreshed_at="2026-11-24T09:00:00Z"):
    return {
        "data": [
            {
                "starting_at": f"{day}T00:00:00Z",
                "group": {"workspace_id": workspace},
                "cost": {"amount": amount, "currency": "USD", "requests": requests},
            }
            for day, workspace, amount, requests in rows
        ],
        "has_more": next_page is not None,
        "next_page": next_page,
        "data_refreshed_at": refreshed_at,
    }


NOTHING = reply(json=body())
A_DAY = reply(json=body(("2026-11-23", "wrkspc_1", "250", 7)))


def due(now: datetime) -> bool:
    return report.due_reports(now).exists()


def take(now: datetime) -> None:
    """Another worker has claimed the row at that moment."""
    CostReport.objects.the_one()
    CostReport.objects.take([1], now, owner="another")


def fetch(now: datetime) -> bool:
    """Fetch as a worker would at that moment; returns whether rows were written."""
    with time_machine.travel(now, tick=False):
        rows = list(report.due_reports(now))
        return bool(rows) and report.fetch_report(claim(rows[0]))


def stored() -> list[tuple]:
    return list(
        ReportedCost.objects.order_by("day", "api_workspace_id").values_list(
            "day", "api_workspace_id", "amount", "requests"
        )
    )


def amounts() -> list[Decimal]:
    return [amount for _, _, amount, _ in stored()]


def test_the_report_of_62_days_becomes_rows(upstream):
    costs = upstream(NOTHING, A_DAY)

    assert fetch(NOW)

    state = CostReport.objects.get()
    assert [(str(day), *rest) for day, *rest in stored()] == [
        ("2026-11-23", "wrkspc_1", Decimal("2.5"), 7)
    ]
    assert (state.fetched_at, state.refreshed_at) == (NOW, datetime(2026, 11, 24, 9, tzinfo=UTC))
    assert str(state.covers_since) == "2026-09-24"
    since = [request.url.params["starting_at"][:10] for request in costs.requests]
    assert since == ["2026-09-24", "2026-10-25"]
    assert costs.requests[-1].url.params["ending_at"] == "2026-11-25T00:00:00Z"


def test_rows_of_one_day_and_workspace_are_summed(upstream):
    day = ("2026-11-23", "wrkspc_1")
    rows = [(*day, "100.5", 3), (*day, "-50", 4), ("2026-11-23", None, "1", None)]
    upstream(NOTHING, reply(json=body(*rows)))

    fetch(NOW)

    assert [rest for _, *rest in stored()] == [
        ["", Decimal("0.01"), None],
        ["wrkspc_1", Decimal("0.505"), 7],
    ]


def test_the_oldest_refresh_of_all_pages_counts(upstream):
    upstream(reply(json=body(refreshed_at="2026-11-24T08:00:00Z")), NOTHING)

    fetch(NOW)

    assert CostReport.objects.get().refreshed_at.hour == 8


def test_without_a_key_no_report_is_due_or_requested(upstream, settings):
    costs = upstream(NOTHING)
    settings.ANTHROPIC_ADMIN_KEY = ""

    assert not due(NOW)
    assert not fetch(NOW)

    assert not costs.requests
    assert not CostReport.objects.exists()


def test_the_report_is_requested_once_an_hour(upstream):
    costs = upstream(NOTHING)
    fetch(NOW)
    requests = len(costs.requests)

    assert not due(NOW + timedelta(minutes=59))
    assert not fetch(NOW + timedelta(minutes=59))
    assert len(costs.requests) == requests
    assert due(NOW + timedelta(minutes=60))
    assert fetch(NOW + timedelta(minutes=60))


def test_only_one_of_two_workers_fetches(upstream):
    costs = upstream(NOTHING)
    take(NOW)

    assert not fetch(NOW + timedelta(seconds=20))

    assert not costs.requests


def test_a_killed_workers_claim_runs_out(upstream):
    upstream(NOTHING)
    take(NOW)

    assert not due(NOW + timedelta(seconds=29))
    assert due(NOW + timedelta(seconds=31))
    assert fetch(NOW + timedelta(seconds=31))


def test_a_worker_that_lost_its_claim_writes_nothing(upstream, monkeypatch):
    upstream(NOTHING, A_DAY)
    names = report._names

    def overtaken(client):
        CostReport.objects.update(claim="another's")
        return names(client)

    monkeypatch.setattr(report, "_names", overtaken)

    with pytest.raises(ClaimLost):
        fetch(NOW)

    assert not stored()
    assert CostReport.objects.get().fetched_at is None


def test_a_failing_second_page_leaves_the_old_rows(upstream):
    upstream(NOTHING, A_DAY)
    fetch(NOW)
    first = reply(json=body(("2026-11-23", "wrkspc_1", "999", 9), next_page="more"))
    upstream(NOTHING, first, refusal(500))

    assert not fetch(NOW + timedelta(hours=1))

    assert amounts() == [Decimal("2.5")]
    state = CostReport.objects.get()
    assert state.fetched_at == NOW
    assert "500 api_error" in state.error
    assert state.request_id == "req_1"


def test_a_new_report_replaces_the_old_one(upstream):
    upstream(NOTHING, A_DAY)
    fetch(NOW)
    upstream(NOTHING, reply(json=body(("2026-11-22", "wrkspc_2", "100", 1))))

    fetch(NOW + timedelta(hours=1))

    assert [(str(day), named) for day, named, *_ in stored()] == [("2026-11-22", "wrkspc_2")]


def test_days_that_are_no_longer_fetched_are_kept(upstream):
    old = reply(json=body(("2026-09-24", "wrkspc_1", "1", 1)))
    upstream(old, NOTHING)
    fetch(NOW)
    upstream(NOTHING)

    fetch(NOW + timedelta(days=1))

    assert amounts() == [Decimal("0.01")]
    assert str(CostReport.objects.get().covers_since) == "2026-09-24"


def test_days_that_were_never_fetched_are_not_covered(upstream):
    upstream(NOTHING)
    fetch(NOW)

    fetch(NOW + timedelta(days=100))

    assert str(CostReport.objects.get().covers_since) == "2027-01-02"


def test_waits_double_from_a_minute_to_an_hour(upstream, monkeypatch):
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    upstream(refusal(500))
    waits, now = [], NOW
    for _ in range(8):
        fetch(now)
        next_at = CostReport.objects.get().next_attempt_at
        waits.append((next_at - now).total_seconds() / 60)
        now = next_at

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_retry_after_is_respected(upstream):
    upstream(refusal(429, "rate_limit_error", retry_after="600"))

    fetch(NOW)

    assert CostReport.objects.get().next_attempt_at == NOW + timedelta(minutes=10)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stores_the_apis_error_and_is_retried_in_five_minutes(upstream, status):
    upstream(refusal(status, "permission_error", "This endpoint requires an Admin API key."))

    fetch(NOW)

    state = CostReport.objects.get()
    assert "requires an Admin API key. (request ID req_1)" in state.error
    assert state.error_at == NOW
    assert state.next_attempt_at == NOW + timedelta(minutes=5)


def test_success_clears_the_error(upstream):
    upstream(refusal(500))
    fetch(NOW)
    upstream(NOTHING)

    assert fetch(NOW + timedelta(minutes=1))

    state = CostReport.objects.get()
    assert (state.error, state.error_at, state.request_id, state.attempts) == ("", None, "", 0)


def test_the_error_for_a_key_that_cannot_be_sent_does_not_contain_it(admin, settings):
    settings.ANTHROPIC_ADMIN_KEY = "sk-ant admin"

    assert not fetch(NOW)

    state = CostReport.objects.get()
    assert state.error.startswith("ANTHROPIC_ADMIN_KEY cannot be used")
    assert "sk-ant admin" not in state.error


def test_figures_that_sum_to_more_than_is_possible_are_refused(upstream):
    row = ("2026-11-23", "wrkspc_1", "99999999999999", 10**12)
    upstream(NOTHING, reply(json=body(*[row] * 200)))

    assert not fetch(NOW)

    assert "sum to more" in CostReport.objects.get().error


def test_a_key_that_may_not_list_workspaces_still_fetches_the_report(upstream):
    named = {"data": [{"id": "wrkspc_1", "name": "Research"}], "has_more": False}
    upstream(NOTHING, workspaces=reply(json=named))
    fetch(NOW)
    assert CostReport.objects.get().workspace_names == {"wrkspc_1": "Research"}
    upstream(NOTHING, workspaces=refusal(403, "permission_error"))

    assert fetch(NOW + timedelta(hours=1))

    assert CostReport.objects.get().workspace_names == {}


def test_the_admin_key_is_in_no_log_and_no_row(upstream, caplog):
    caplog.set_level(logging.DEBUG)
    upstream(refusal(400, message=f"{KEY} may not do this."))

    fetch(NOW)

    assert KEY not in caplog.text
    assert KEY not in str(CostReport.objects.values())


def test_the_report_is_requested_only_at_the_environments_address(upstream, settings):
    settings.ANTHROPIC_BASE_URL = "https://gateway.test/prefix"
    costs = upstream(NOTHING)

    fetch(NOW)

    assert {str(request.url.copy_with(query=None)) for request in costs.requests} == {
        f"https://gateway.test/prefix{COST}"
    }


def test_the_sandbox_reports_what_it_has_billed(sandbox, settings, db):
    settings.ANTHROPIC_ADMIN_KEY = sandbox.admin_key
    batch_id = sandbox.add_batch(status="ended")

    assert fetch(timezone.now())

    (row,) = ReportedCost.objects.all()
    assert row.amount == sandbox.billed(batch_id)
    assert row.requests == 10
    assert row.api_workspace_id == sandbox.keys[sandbox.key]
    assert set(CostReport.objects.get().workspace_names) == set(sandbox.keys.values())


def test_without_the_admin_key_the_sandbox_returns_an_error(sandbox, settings, db):
    settings.ANTHROPIC_ADMIN_KEY = sandbox.key

    assert not fetch(timezone.now())

    assert "requires an Admin API key" in CostReport.objects.get().error
