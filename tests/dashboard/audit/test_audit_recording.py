"""Downloads, exports and refusals are recorded, and no one can flood the audit with them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client

from batches.models import AuditEvent

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
HERE = {"REMOTE_ADDR": "192.0.2.9"}


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def recorded(action: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action=action).order_by("pk"))


def outcomes(action: str) -> list[str]:
    return [event.outcome for event in recorded(action)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "All results as JSONL, of 30 requests"),
        ({"format": "csv"}, "All results as CSV, of 30 requests"),
        ({"outcome": "errored", "format": "csv"}, "Errored results as CSV, of 30 requests"),
        (
            {"outcome": "canceled", "format": "ids"},
            "Canceled results as custom_ids, of 30 requests",
        ),
    ],
)
def test_a_download_of_results_is_recorded(sign_in, results_url, workspace, query, said):
    answer = sign_in("viewer").get(results_url, query, **HERE)

    assert answer.getvalue()
    [event] = recorded("results downloaded")
    assert (event.actor, event.address, event.outcome) == ("viewer", "192.0.2.9", said)
    assert (event.batch_api_id, event.workspace_id) == ("one", workspace.pk)


def test_a_download_of_what_was_read_before_is_recorded_too(sign_in, results_url):
    from batches.models import Batch
    from tests.working import read_now

    read_now(Batch.objects.get())

    answer = sign_in("viewer").get(results_url, {"outcome": "errored", "format": "csv"})

    assert answer.getvalue().count(b"\n") == 7
    assert outcomes("results downloaded") == ["Errored results as CSV, of 30 requests"]


def test_no_download_is_recorded_where_nothing_is_sent(sign_in, results_url, row, sandbox):
    row("running")
    browser = sign_in("viewer")

    browser.head(results_url)
    browser.get(results_url, {"format": "nonsense"})
    browser.get("/batches/running/results/")
    sandbox.down = True
    browser.get("/batches/unknown/results/")

    assert recorded("results downloaded") == []


def test_the_same_download_is_recorded_once_a_minute(clock, sign_in, results_url):
    browser = sign_in("viewer")

    for _ in range(5):
        browser.get(results_url).getvalue()
    assert len(recorded("results downloaded")) == 1

    browser.get(results_url, {"format": "csv"}).getvalue()
    assert len(recorded("results downloaded")) == 2

    clock.shift(timedelta(minutes=1, seconds=1))
    browser.get(results_url).getvalue()
    assert len(recorded("results downloaded")) == 3


def test_unknown_outcomes_are_recorded_as_one(clock, sign_in, results_url):
    browser = sign_in("viewer")

    for word in ("aaa", "bbb", "ccc"):
        browser.get(results_url, {"outcome": word, "format": "ids"}).getvalue()

    assert outcomes("results downloaded") == ["Other results as custom_ids, of 30 requests"]


def test_an_export_of_the_list_says_its_filters_and_rows(sign_in, row, workspace):
    for number in range(3):
        row(f"in-{number}", label="nightly")
    row("out")

    sign_in("lead").get("/batches.csv", {"label": "nightly", "status": "active"}).getvalue()

    [event] = recorded("exported")
    assert event.outcome == "batches.csv: 3 rows, filters: status=active, label=nightly"
    assert (event.actor, event.workspace_id) == ("lead", workspace.pk)


def test_an_export_of_everything_says_so(sign_in, row):
    row("one")

    sign_in("lead").get("/batches.csv").getvalue()

    assert outcomes("exported") == ["batches.csv: 1 row, all"]


def test_an_export_of_several_workspaces_is_an_event_of_each(lead, row, workspace, other_workspace):
    row("one")
    row("two", workspace=other_workspace)

    lead.get("/batches.csv").getvalue()
    lead.get("/batches.csv", {"workspace": "production"}).getvalue()

    assert [(each.workspace_id, each.outcome) for each in recorded("exported")] == [
        (other_workspace.pk, "batches.csv: 2 rows, all"),
        (workspace.pk, "batches.csv: 2 rows, all"),
        (other_workspace.pk, "batches.csv: 1 row, filters: workspace=production"),
    ]


@pytest.mark.parametrize("table", ["groups", "days", "batches"])
def test_an_export_of_spend_says_its_period_and_as_many_rows_as_it_has(sign_in, spendings, table):
    query = {"table": table, "since": "2026-11-01", "until": "2026-11-30", "owner": "ada"}

    answer = sign_in("lead").get("/spend.csv", query)

    # Without the header and the total.
    rows = answer.getvalue().count(b"\r\n") - (1 if table == "batches" else 2)
    [event] = recorded("exported")
    assert rows >= 1
    assert event.outcome.startswith(f"spend-{table}-2026-11-01-to-2026-11-24.csv: {rows} row")
    assert "owner=ada" in event.outcome


def test_an_export_of_the_audit_says_its_filters_but_no_persons_name(sign_in, workspace):
    AuditEvent.record("exported", workspace=workspace)

    query = {"action": "exported", "person": "Batchboard"}
    answer = sign_in("lead").get("/audit.csv", query).getvalue()

    [_, event] = recorded("exported")
    # A header and one row, without this export's own event.
    assert answer.count(b"\r\n") == 2
    assert event.outcome == "audit.csv: 1 row, filters: person=someone, action=exported"
    assert event.workspace_id is None


def test_an_export_of_one_workspaces_audit_is_its_event(lead, other_workspace):
    lead.get("/audit.csv", {"workspace": "production"}).getvalue()

    [event] = recorded("exported")
    assert (event.workspace_id, event.outcome) == (
        other_workspace.pk,
        "audit.csv: 0 rows, filters: workspace=production",
    )


def test_the_same_export_is_recorded_once_a_minute(sign_in, row, clock):
    row("one")
    browser = sign_in("lead")

    for _ in range(3):
        browser.get("/batches.csv").getvalue()
    assert len(recorded("exported")) == 1

    clock.shift(timedelta(minutes=1, seconds=1))
    browser.get("/batches.csv").getvalue()
    assert len(recorded("exported")) == 2


@pytest.mark.parametrize(
    ("address", "query"),
    [
        ("/batches.csv", {"status": "faild"}),
        ("/batches.csv", {"since": "2026-13-45"}),
        ("/audit.csv", {"action": "faild"}),
        ("/audit.csv", {"since": "2026-13-45"}),
        ("/audit.csv", {"workspace": "unknown"}),
        ("/spend.csv", {"since": "2026-13-45"}),
        ("/spend.csv", {"model": "small", "group": "shape"}),
        ("/spend.csv", {"since": "2026-11-23", "until": "2026-11-22"}),
        ("/spend.csv", {"since": "2020-01-01"}),
        ("/spend.csv", {"until": "2020-01-01"}),
    ],
)
def test_an_export_with_an_invalid_filter_is_refused_and_not_recorded(sign_in, address, query):
    response = sign_in("lead").get(address, query)

    assert response.status_code == 400
    assert "These filters are not valid" in response.text
    assert any(value in response.text for value in query.values())
    assert "ignored" not in response.text
    assert recorded("exported") == []


@pytest.mark.parametrize("address", ["/batches.csv", "/audit.csv", "/spend.csv"])
def test_a_head_request_for_an_export_records_nothing(sign_in, address):
    assert sign_in("lead").head(address).status_code == 200

    assert recorded("exported") == []


def test_a_refused_action_names_the_role_it_needs_and_the_batch(sign_in, row, workspace):
    row("one")

    sign_in("viewer").post("/batches/one/cancel/", **HERE)

    [event] = recorded("action refused")
    assert event.outcome == "Batch cancel: needs the operator role"
    assert (event.actor, event.address) == ("viewer", "192.0.2.9")
    assert (event.batch_api_id, event.workspace_id) == ("one", workspace.pk)


def test_a_refused_action_does_not_reveal_another_teams_batch(sign_in, row, other_workspace):
    row("other", workspace=other_workspace)

    sign_in("viewer").post("/batches/other/cancel/")

    [event] = recorded("action refused")
    assert (event.batch_api_id, event.workspace_id) == ("", None)


def test_a_refused_action_names_the_workspace_or_person_if_known(
    sign_in, person, workspace, other_workspace, clock
):
    known = person("viewer", workspace, name="mia")
    stranger = person("viewer", other_workspace, name="otto")
    browser = sign_in("operator")

    browser.post(f"/workspaces/{workspace.pk}/")
    browser.post(f"/people/{known.pk}/")
    clock.shift(timedelta(minutes=2))
    browser.post(f"/workspaces/{other_workspace.pk}/")
    browser.post(f"/people/{stranger.pk}/")

    seen = [(each.workspace, each.person) for each in recorded("action refused")]
    assert seen == [("Research", ""), ("", "mia"), ("", ""), ("", "")]


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "the page had expired"),
        ({"Origin": "https://evil.example"}, "the form came from another site"),
    ],
)
def test_a_forged_form_is_recorded_with_the_person_whose_session_it_used(
    person, workspace, row, headers, why
):
    row("one")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person("operator", workspace), backend="dashboard.roles.RoleBackend")

    assert browser.post("/batches/one/cancel/", headers=headers).status_code == 403

    [event] = recorded("action refused")
    assert (event.actor, event.batch_api_id) == ("operator", "one")
    assert event.outcome == f"Batch cancel: {why}"


def test_a_refused_action_is_recorded_once_a_minute_for_each_person_and_action(sign_in, row, clock):
    for name in ("one", "two"):
        row(name)
    viewers = [sign_in("viewer", name=name) for name in ("vic", "val")]

    for _ in range(3):
        for browser in viewers:
            browser.post("/batches/one/cancel/")
            browser.post("/batches/two/cancel/")
            browser.post("/batches/one/label/")
    assert len(recorded("action refused")) == 4

    clock.shift(timedelta(minutes=1, seconds=1))
    viewers[0].post("/batches/one/cancel/")
    assert len(recorded("action refused")) == 5


def test_a_refusal_without_a_sign_in_or_of_a_get_is_not_recorded(client, sign_in, row):
    row("one")

    client.post("/batches/one/cancel/")
    Client(enforce_csrf_checks=True).post("/accounts/login/")
    sign_in("viewer").get("/audit/")

    assert recorded("action refused") == []


def test_a_refusal_that_cannot_be_recorded_is_still_a_refusal(sign_in, row, monkeypatch):
    row("one")
    browser = sign_in("viewer")

    def broken(*args, **options):
        raise DatabaseError("disk full")

    monkeypatch.setattr(AuditEvent.objects.__class__, "create", broken)

    assert browser.post("/batches/one/cancel/").status_code == 403


def test_someone_without_a_role_is_recorded(person, workspace, client):
    client.force_login(person("", workspace), backend="dashboard.roles.RoleBackend")

    client.post("/look-up/", {"id": "msgbatch_1"})

    assert outcomes("action refused") == ["Batch look up: needs the viewer role"]
    assert User.objects.get().username == "nobody"
