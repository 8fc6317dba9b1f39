"""The list and one batch, as programs read them."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError
from django.utils import timezone

from batches.models import Workspace
from tests.dashboard.api.conftest import ROOT, give_token, kind, program
from tests.spend_world import spent, used

LIST = f"{ROOT}/batches"


def ids(answer) -> list[str]:
    return [batch["id"] for batch in answer.json()["batches"]]


def test_the_list_takes_the_filters_of_the_page(token, row):
    row("msgbatch_1", label="nightly")
    row("msgbatch_2", label="nightly", processing_status="ended")
    row("msgbatch_3", owner="bob")
    call = token("read")

    assert ids(call.get(LIST, {"sort": "oldest"})) != []
    assert ids(call.get(LIST, {"label": "nightly", "status": "active"})) == ["msgbatch_1"]
    assert ids(call.get(LIST, {"owner": "bob"})) == ["msgbatch_3"]
    assert ids(call.get(LIST, {"q": "msgbatch_2"})) == ["msgbatch_2"]
    assert ids(call.get(LIST, {"until": "2020-01-01"})) == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"status": "done"}, "Status: “done” is not a valid value."),
        ({"since": "yesterday"}, "Created since: “yesterday” is not a day such as"),
        ({"workspace": "production"}, "“production” is not a valid value."),
        ({"since": "2026-11-02", "until": "2026-11-01"}, "so no batch can match."),
        ({"after": "x"}, "That page does not exist."),
        ({"limit": "201"}, "limit: “201” is not a number from 1 to 200."),
        ({"limit": "0"}, "limit: “0”"),
        ({"limit": "²"}, "limit: “²”"),
        ({"lable": "nightly"}, "There is no parameter “lable”."),
        ({"label": ["a", "b"]}, "The parameter “label” is given more than once."),
    ],
)
def test_an_invalid_filter_is_refused_and_named(token, other_workspace, query, named):
    answer = token("read").get(LIST, query)

    assert (answer.status_code, kind(answer)) == (400, "invalid-query")
    assert named in answer.json()["detail"]
    assert "ignored" not in answer.json()["detail"]


@pytest.mark.parametrize("sort", ["active", "newest", "oldest"])
def test_following_the_links_gives_every_batch_once(token, row, sort):
    now = timezone.now()
    for number in range(7):
        status = "ended" if number % 3 else "in_progress"
        row(f"msgbatch_{number}", created_at=now - timedelta(minutes=number // 2),
            processing_status=status, label="nightly")  # fmt: skip
    call = token("read")
    found, pages = [], 0
    answer = call.get(LIST, {"sort": sort, "limit": 3, "label": "nightly"})

    while True:
        found += ids(answer)
        pages += 1
        following = answer.json()["next"]
        if following is None:
            break
        assert answer["Link"] == f'<{following}>; rel="next"'
        assert following.startswith(f"http://testserver{LIST}?")
        answer = call.get(following.removeprefix("http://testserver"))

    assert pages == 3
    assert sorted(found) == [f"msgbatch_{number}" for number in range(7)]
    assert "Link" not in answer


def test_the_number_of_queries_doesnt_depend_on_the_number_of_batches(
    token, row, django_assert_num_queries
):
    call = token("read")
    for number in range(12):
        row(f"msgbatch_{number}", processing_status="ended", results_state="read")
    call.get(LIST)

    # The token, the role, the workspaces, the batches and their usage.
    for limit in (2, 12):
        with django_assert_num_queries(5):
            assert len(ids(call.get(LIST, {"limit": limit}))) == limit


def test_a_batch_has_times_in_utc_and_its_page(token, row):
    row("msgbatch_1", label="nightly", note="两行\n注")

    answer = token("read").get(f"{LIST}/msgbatch_1")

    batch = answer.json()["batch"]
    assert answer["Content-Type"] == "application/json"
    assert batch["created_at"].endswith("Z")
    assert batch["ended_at"] is None
    assert batch["url"] == "http://testserver/batches/msgbatch_1/"
    assert (batch["label"], batch["owner"], batch["note"]) == ("nightly", "", "两行\n注")
    assert (batch["outcome"], batch["counts_known"]) == (None, False)
    assert batch["request_counts"]["processing"] == 10


def test_a_known_cost_is_exact_text_and_an_unknown_one_is_null_with_a_reason(
    token, november, workspace
):
    day = timezone.now() - timedelta(days=2)
    spent(workspace, day, used(input=3, output=0.123457), api_id="msgbatch_known")
    spent(workspace, day, used(input=1), used(model="new", requests=7), api_id="msgbatch_part")
    spent(workspace, day, processing_status="in_progress", api_id="msgbatch_running")
    spent(workspace, day, results_state="lost", api_id="msgbatch_lost")
    costs = {
        batch["id"].removeprefix("msgbatch_"): batch["cost"]
        for batch in token("read").get(LIST).json()["batches"]
    }

    assert costs["known"] == {
        "usd": "3.617285", "known": True, "known_usd": "3.617285", "reason": None,
        "state": "computed", "billed_requests": 10, "known_requests": 10,
    }  # fmt: skip
    assert (costs["part"]["usd"], costs["part"]["known"]) == (None, False)
    assert costs["part"]["known_usd"] == "1"
    assert costs["part"]["reason"] == "no price for new"
    assert (costs["running"]["usd"], costs["running"]["known_usd"]) == (None, None)
    assert costs["running"]["reason"] == "the batch is running"
    assert costs["running"]["billed_requests"] is None
    assert costs["lost"]["reason"] == "results lost"


def test_an_outdated_mirror_says_so(token, row, workspace):
    row("msgbatch_1")
    now = timezone.now()
    Workspace.objects.update(last_synced_at=now - timedelta(hours=1), backfilled_at=now)
    call = token("read")

    stale = call.get(f"{LIST}/msgbatch_1").json()["workspace"]
    Workspace.objects.update(last_synced_at=now)

    assert (stale["slug"], stale["health"]) == ("research", "stale")
    assert stale["synced_at"].endswith("Z")
    assert call.get(LIST).json()["workspaces"][0]["health"] == "fresh"


def test_an_id_of_two_workspaces_is_told_apart_by_the_slug(person, row, workspace, other_workspace):
    other_workspace.base_url = "http://elsewhere"
    other_workspace.save()
    row("msgbatch_1", label="first")
    row("msgbatch_1", label="second", workspace=other_workspace)
    both = [workspace, other_workspace]
    call = program(give_token(person("lead", *both), "read", workspaces=both))

    assert call.get(f"{LIST}/msgbatch_1").json()["batch"]["label"] == "first"
    second = call.get(f"{LIST}/msgbatch_1@production").json()["batch"]
    assert (second["id"], second["label"]) == ("msgbatch_1", "second")


def test_a_database_that_is_down_is_a_problem_to_retry(token, row, monkeypatch):
    call = token("read")

    def fail(text):
        raise OperationalError("database is locked")

    monkeypatch.setattr("dashboard.api.authentication.find_token", fail)
    answer = call.get(LIST)

    assert (answer.status_code, kind(answer)) == (503, "database-unavailable")
    assert answer["Retry-After"] == "10"


def test_an_unforeseen_error_is_a_problem_without_details(token, monkeypatch):
    call = token("read")
    call.raise_request_exception = False

    def fail(text):
        raise DatabaseError("secret details")

    monkeypatch.setattr("dashboard.api.authentication.find_token", fail)
    answer = call.get(LIST)

    assert (answer.status_code, kind(answer)) == (500, "error")
    assert "secret" not in answer.text
