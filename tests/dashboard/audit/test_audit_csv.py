"""The audit's CSV has the same rows as its pages."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.contrib.auth.models import User

from batches.models import AuditEvent
from dashboard.audit import filters
from dashboard.display import EXACT
from tests.dashboard.audit.audit_page import all_events, event
from tests.dashboard.reading import csv_cells

Action = AuditEvent.Action
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HEADER = [
    "at (UTC)", "actor", "actor kind", "API token", "address", "action", "person", "workspace",
    "batch ID", "batch label", "cancellation", "reason", "outcome", "request ID",
]  # fmt: skip
QUERIES = [
    {},
    {"person": "ada"},
    {"person": "bob", "since": "2026-11-25"},
    {"action": "cancel accepted"},
    {"action": "cancel requested again"},
    {"action": "exported", "workspace": "production"},
    {"batch": "nightly"},
    {"batch": "msgbatch_3", "person": "ada"},
    {"until": "2026-11-26"},
    {"since": "2026-11-26", "until": "2026-11-27", "workspace": "research"},
    {"person": "nobody"},
]


@pytest.fixture
def history(row, person, workspace, other_workspace) -> None:
    """Sixty hours of cancels, labels and exports in two workspaces, the same in every run."""
    chance = Random(8)
    people = [person("operator", workspace, other_workspace, name=name) for name in ("ada", "bob")]
    places = [workspace, other_workspace]
    batches = [
        row(f"msgbatch_{number}", label=chance.choice(["", "nightly", "wee,kly"]), workspace=place)
        for number, place in enumerate(places * 4)
    ]
    for number in range(60):
        at = NOON + timedelta(hours=number)
        batch, who = chance.choice(batches), chance.choice(people)
        kind = chance.randrange(3)
        if kind == 0:
            event(Action.EXPORTED, actor=who, workspace=batch.workspace, outcome="x.csv", at=at)
        elif kind == 1:
            event(Action.BATCH_LABELED, actor=who, batch=batch, outcome="label: a → b", at=at)
        else:
            cancel(batch, who, chance.choice(people), number, at)


def cancel(batch, actor: User, other: User, number: int, at: datetime) -> None:
    of = {"batch": batch, "cancellation_id": number, "at": at}
    step = {"is_step": True, **of}
    event(Action.CANCEL_REQUESTED, actor=actor, address="192.0.2.7", reason="late", **of)
    event(Action.CANCEL_REPEATED, actor=other, reason="“=1+1”", outcome="again", **step)
    answer = {"by": AuditEvent.Actor.ANTHROPIC, **step}
    event(Action.CANCEL_ACCEPTED, outcome="accepted", request_id="req_1", **answer)


def sheet_of(browser, query) -> list[dict[str, str]]:
    header, *rows = csv_cells(browser.get("/audit.csv", query))
    assert header == HEADER
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_the_csv_has_the_rows_of_all_pages_in_their_order(lead, history, monkeypatch, query):
    monkeypatch.setattr("dashboard.audit.views.PAGE_SIZE", 7)
    monkeypatch.setattr("dashboard.audit.rows.ROWS_AT_ONCE", 5)

    page = list(all_events(lead, query).values())
    sheet = sheet_of(lead, query)

    assert len(sheet) == len(page)
    for row, words in zip(sheet, page, strict=True):
        shown = [row["actor"], row["action"][1:], row["reason"], row["request ID"]]
        if row["action"] != "cancel requested":
            shown.append(row["outcome"])
        if not row["cancellation"] or row["action"] == "cancel requested":
            shown += [row["person"], row["workspace"], row["batch ID"], row["batch label"]]
        shown += [row["address"], datetime.fromisoformat(row["at (UTC)"]).strftime(EXACT)]
        assert [each for each in shown if each not in words] == []


def test_the_history_has_several_pages_and_every_kind_of_event(lead, history):
    sheet = sheet_of(lead, {})

    assert len(sheet) > filters.PAGE_SIZE
    assert len({row["action"] for row in sheet}) == 5
    assert {row["batch label"] for row in sheet} == {"", "nightly", "wee,kly"}


def test_a_row_has_every_column_filled_from_its_event(lead, row, person, workspace):
    ada = person("operator", workspace, name="ada")
    of = {"batch": row("msgbatch_1", label="nightly"), "cancellation_id": 7, "person": ada}
    event(
        Action.CANCEL_REQUESTED, actor=ada, token="ci", address="192.0.2.7", reason="late",
        outcome="kept", request_id="req_1", **of,
    )  # fmt: skip

    assert list(sheet_of(lead, {"batch": "msgbatch_1"})[0].values()) == [
        "2026-11-24T12:00:00+00:00", "ada", "person", "ci", "192.0.2.7", "cancel requested",
        "ada", "Research", "msgbatch_1", "nightly", "7", "late", "kept", "req_1",
    ]  # fmt: skip


def test_a_formula_in_an_event_is_text(lead, workspace):
    event(Action.BATCH_LABELED, workspace=workspace, reason="=1+1", outcome="@SUM(A1)")

    [row] = sheet_of(lead, {"action": "batch labeled"})

    assert (row["reason"], row["outcome"]) == ("'=1+1", "'@SUM(A1)")


def test_a_long_audit_is_read_in_blocks(lead, workspace, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr("dashboard.audit.rows.ROWS_AT_ONCE", 10)
    for _ in range(25):
        event(Action.BATCH_LABELED, workspace=workspace)

    # Session, person and workspaces; the newest event; two counts, a search for an earlier event
    # and the event of this export; three blocks.
    with django_assert_num_queries(3 + 1 + 4 + 3):
        text = lead.get("/audit.csv", {"action": "batch labeled"}).getvalue()

    assert text.count(b"\r\n") == 26
