"""Signed-in browsers, and rows that need no API behind them."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.utils import timezone

from batches.mirror import lookup
from batches.models import Batch, WorkerProcess, Workspace
from dashboard import streams
from dashboard.list import counts
from tests.mirroring import mirror, mirror_change
from tests.spend_world import PRICES, spent, used
from tests.working import seen_worker

HTMX = {"HX-Request": "true"}


@pytest.fixture
def running_worker(db: None) -> WorkerProcess:
    return seen_worker()


@pytest.fixture(autouse=True)
def _a_worker_runs(request) -> None:
    """A worker runs, unless the test ends it.

    Only in tests that use the database, because this fixture must not give it to the others.
    """
    if {"db", "transactional_db"} & set(request.fixturenames):
        request.getfixturevalue("running_worker")


@pytest.fixture(autouse=True)
def _no_counts_kept() -> None:
    """The counts in memory are for the rows and revisions of another test's database."""
    counts.forget()


@pytest.fixture(autouse=True)
def _nothing_looked_up() -> None:
    """The look-ups in memory are for the rows of another test's database."""
    lookup._not_found.clear()


@pytest.fixture(autouse=True)
def _all_places_free(monkeypatch) -> None:
    """A download that a test leaves unread does not count in others."""
    monkeypatch.setattr(streams, "places", streams.Places())


@pytest.fixture
def sign_in(person, workspace) -> Callable[..., Client]:
    """Signs in someone with a role who is a member of the workspace; returns their browser."""

    def sign_in(role: str, *workspaces: Workspace, name: str = "") -> Client:
        browser = Client()
        user = person(role, *(workspaces or [workspace]), name=name)
        browser.force_login(user, backend="dashboard.roles.RoleBackend")
        return browser

    return sign_in


@pytest.fixture
def results_url(mirrored) -> str:
    """The address of an ended batch's results: 20 succeeded, 6 errored, 3 canceled, 1 expired."""
    mirrored("one", status="ended", succeeded=20, errored=6, canceled=3, expired=1)
    return "/batches/one/results/"


@pytest.fixture
def row(workspace) -> Callable[..., Batch]:
    """A function that mirrors a batch without the sandbox."""

    def row(api_id: str, *, age: timedelta = timedelta(minutes=5), **columns) -> Batch:
        created_at = columns.pop("created_at", timezone.now() - age)
        usual = {"processing": 10}
        if columns.get("processing_status") == "ended":
            usual = {"succeeded": 10, "ended_at": created_at + timedelta(minutes=2)}
        owner = columns.pop("workspace", workspace)
        return mirror(owner, api_id, now=created_at, created_at=created_at, **usual | columns)

    return row


@pytest.fixture
def change() -> Callable[..., None]:
    """A function that changes a mirrored batch, as a round or a reading does."""

    def change(batch: Batch, **columns) -> None:
        mirror_change(batch, now=timezone.now(), **columns)

    return change


@pytest.fixture
def november(settings) -> Iterator[None]:
    """It is 24 November 2026, and prices are round numbers."""
    settings.BATCHBOARD_PRICE_TABLE = PRICES
    with time_machine.travel(datetime(2026, 11, 24, 15, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def spendings(november, workspace, other_workspace) -> None:
    """$26.50 in November in two workspaces, $20 in the days before; and batches without a cost."""
    spent(workspace, date(2026, 11, 2), used(input=3, output=0.5), label="nightly", owner="ada")
    spent(
        workspace, date(2026, 11, 2), used(model="large", input=1, inference_geo="us"), owner="ada"
    )
    spent(
        other_workspace,
        date(2026, 11, 12),
        used(model="large", input=2),
        label="nightly",
        owner="bob",
    )
    spent(workspace, date(2026, 11, 12), used(model="new", requests=7), is_canceled=True)
    spent(workspace, date(2026, 11, 12), processing_status="in_progress", label="nightly")
    spent(other_workspace, date(2026, 11, 2), results_state="pending")
    spent(other_workspace, date(2026, 11, 2), results_state="unreadable", owner="ada")
    spent(workspace, date(2026, 11, 12), results_state="lost")
    spent(workspace, date(2026, 10, 31), used(model="large", input=2))
    spent(workspace, date(2026, 10, 31), results_state="pending")


@pytest.fixture
def lead(sign_in, workspace, other_workspace) -> Client:
    """The browser of a lead who is a member of both workspaces."""
    return sign_in("lead", workspace, other_workspace)


def undecryptable(workspace: Workspace) -> None:
    """Stores a key that was encrypted with an unknown key."""
    table = connection.ops.quote_name(Workspace._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET api_key = 'gAAAAA' WHERE id = %s", [workspace.pk])


@pytest.fixture
def workspace_has(workspace) -> Callable[..., None]:
    """Sets columns of the workspace, which synced just now unless they say otherwise."""

    def workspace_has(**columns) -> None:
        now = timezone.now()
        usual = {"last_synced_at": now, "backfilled_at": now}
        Workspace.objects.filter(pk=workspace.pk).update(**usual | columns)

    return workspace_has
