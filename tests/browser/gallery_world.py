"""What the gallery's pictures show: batches in every state, their history, and people."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.contrib.auth.models import User

from batches.models import AuditEvent, Batch, Cancellation, CostReport, Workspace
from batches.reports.fetch import fetch_report
from batches.spend.ranking import rank_costs
from tests.working import claim, read_now

NOW = datetime(2026, 3, 17, 14, 20, tzinfo=UTC)
LONG = ("nightly evaluation of the summarizer on held-out conversations of customers, " * 3)[:200]
HEBREW = "עברית 123 ו-English"
REQUEST_ID = "req_011CSHoEeqs5C35K2UUqR7Fy"
MODELS = ("claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5")
Action = AuditEvent.Action

SCENES: dict[str, dict] = {
    "running": {"requests": 1234, "duration": timedelta(hours=1), "age": timedelta(minutes=22)},
    "large": {"requests": 100_000, "duration": timedelta(hours=20), "age": timedelta(hours=3)},
    "moving": {
        "requests": 600,
        "moving_counts": True,
        "duration": timedelta(hours=1),
        "age": timedelta(minutes=40),
    },
    "late": {"requests": 1100, "duration": timedelta(hours=9), "age": timedelta(hours=8)},
    "canceling": {"requests": 50, "status": "canceling"},
    "waiting": {"requests": 900, "duration": timedelta(hours=1)},
    "refused": {"requests": 70, "duration": timedelta(hours=1)},
    "succeeded": {"status": "ended", "requests": 400},
    "failed": {"status": "ended", "requests": 400, "errored": 29},
    "allfailed": {"status": "ended", "requests": 10, "errored": 10},
    "canceled": {"status": "ended", "requests": 40, "canceled": 37},
    "expired": {"status": "ended", "requests": 60, "expired": 40},
    "unread": {"status": "ended", "requests": 10},
    "unpriced": {"status": "ended", "requests": 30, "models": ("claude-next-1",)},
    "kinds": {"status": "ended", "requests": 400, "errored": 390},
}
LABELS = {
    "running": ("nightly eval", "ada@example.com"),
    "large": (LONG, "grace@example.com"),
    "moving": (HEBREW, HEBREW),
    "canceling": ("🚀 launch 🎉", ""),
    "failed": ("summaries v3", "ada@example.com"),
    "kinds": ("images", ""),
}
CANCELS = {
    "waiting": (Cancellation.State.REQUESTED, "Anthropic’s API is overloaded (529)."),
    "refused": (Cancellation.State.REFUSED, "The API refused it (400: batch is locked)."),
    "canceled": (Cancellation.State.ACCEPTED, ""),
}


@pytest.fixture
def world(sandbox, person, workspace, other_workspace, sync, settings) -> dict[str, User]:
    """Fills the database. Returns the people by their roles."""
    settings.ANTHROPIC_ADMIN_KEY = sandbox.admin_key
    settings.ANTHROPIC_BASE_URL = "http://sandbox"
    both = (workspace, other_workspace)
    people = {role: person(role, *both) for role in ("viewer", "operator", "lead", "admin")}
    people["admin-without"] = person("admin", name="zoe")
    add_batches(sandbox)
    assert sync(workspace)
    assert sync(other_workspace)
    found = {name: Batch.objects.get(api_id=f"msgbatch_{name}") for name in SCENES}
    for name, (label, owner) in LABELS.items():
        Batch.objects.filter(pk=found[name].pk).update(label=label, owner=owner)
    for batch in Batch.objects.filter(processing_status="ended").exclude(pk=found["unread"].pk):
        assert read_now(batch)
    rank_costs("")
    assert fetch_report(claim(CostReport.objects.the_one()))
    spread_kinds(found["kinds"])
    for name, (state, error) in CANCELS.items():
        cancel(found[name], people["operator"], state, error)
    record_more(found, people, workspace)
    return people


def add_batches(sandbox) -> None:
    """Ended batches of the last four weeks, from which running ones are estimated, and SCENES."""
    for number in range(48):
        sandbox.add_batch(
            status="ended",
            created_at=NOW - timedelta(hours=13 * number + 5),
            duration=timedelta(minutes=3 * (number % 12) + 3),
            requests=(1200, 90, 400)[number % 3],
            models=(MODELS[number % 3],),
            key=sandbox.other_key if number % 4 == 0 else sandbox.key,
        )
    for name, scene in SCENES.items():
        details = dict(scene)
        if age := details.pop("age", None):
            details["created_at"] = NOW - age
        sandbox.add_batch(f"msgbatch_{name}", **details)


def spread_kinds(batch: Batch) -> None:
    """Let the batch have failed in 300 ways."""
    for number, failed in enumerate(batch.failed_requests.all()):
        failed.error_type = f"kind_{number % 300:03d}"
        failed.message = f"messages.{number}.content: the image exceeds 5 MB, the limit. " * 3
        failed.save()


def cancel(batch: Batch, operator: User, state: str, error: str) -> None:
    counts = ("succeeded", "errored", "canceled", "expired")
    made = Cancellation.objects.create(
        batch=batch,
        batch_api_id=batch.api_id,
        workspace_name=batch.workspace.name,
        requested_by=operator,
        requested_by_name="operator",
        requested_from="192.0.2.7",
        reason="Wrong prompt version",
        requested_at=batch.cancel_initiated_at or NOW - timedelta(minutes=2),
        state=state,
        error=error,
        request_id=REQUEST_ID,
        processing_at_request=batch.total,
        **{f"{each}_at_request": 0 for each in counts},
    )
    Batch.objects.filter(pk=batch.pk).update(latest_cancellation=made)
    of = {"batch": batch, "cancellation_id": made.pk}
    event(Action.CANCEL_REQUESTED, actor=operator, address="192.0.2.7", reason=made.reason, **of)
    answer = {"by": AuditEvent.Actor.ANTHROPIC, "is_step": True, **of}
    if state == Cancellation.State.ACCEPTED:
        event(Action.CANCEL_ACCEPTED, outcome="accepted", request_id=REQUEST_ID, **answer)
        event(Action.BATCH_ENDED, outcome="canceled: 37 of 40", **answer)
    elif state == Cancellation.State.REFUSED:
        event(Action.CANCEL_REFUSED, outcome=error, request_id=REQUEST_ID, **answer)


def record_more(found: dict[str, Batch], people: dict[str, User], workspace: Workspace) -> None:
    lead, admin = people["lead"], people["admin"]
    event(Action.BATCH_LABELED, actor=lead, batch=found["large"], outcome=f"label: {LONG}")
    event(Action.EXPORTED, actor=lead, outcome="batches.csv: 63 rows")
    event(Action.SIGN_IN_FAILED, by=AuditEvent.Actor.NOBODY, address="2001:db8::7334:8a2e")
    event(Action.PERSON_CHANGED, actor=admin, person=people["viewer"], outcome="role: operator")
    event(Action.MEMBER_ADDED, actor=admin, person=people["viewer"], workspace=workspace)
    event(Action.RESULTS_DOWNLOADED, actor=lead, batch=found["moving"], outcome="all, as JSONL")
    event(Action.ACTION_REFUSED, actor=people["viewer"], outcome="/spend/: needs the lead role")


_minutes = count()


def event(action: str, **details) -> None:
    AuditEvent.record(action, at=NOW - timedelta(minutes=60 - 4 * next(_minutes)), **details)
