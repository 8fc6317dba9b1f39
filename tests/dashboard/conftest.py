"""People at their browsers, and rows that need no API behind them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from batches.models import Batch, Revision, Workspace
from dashboard import tallies

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _no_counts_kept() -> None:
    """Counts are kept by row number and revision, which begin anew with each test's database."""
    tallies._memo.clear()


@pytest.fixture
def sign_in(person, workspace) -> Callable[..., Client]:
    """A browser in which somebody of this role, a member of the workspace, is signed in."""

    def sign_in(role: str, *workspaces: Workspace, name: str = "") -> Client:
        browser = Client()
        user = person(role, *(workspaces or [workspace]), name=name)
        browser.force_login(user, backend="dashboard.roles.RoleBackend")
        return browser

    return sign_in


@pytest.fixture
def row(workspace) -> Callable[..., Batch]:
    """A function that mirrors a batch by hand, as the sync would have left it."""

    def row(api_id: str, *, age: timedelta = timedelta(minutes=5), **columns) -> Batch:
        created_at = columns.pop("created_at", timezone.now() - age)
        counts = {"processing": 10, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        if columns.get("processing_status") == "ended":
            counts |= {"processing": 0, "succeeded": 10}
            columns.setdefault("ended_at", created_at + timedelta(minutes=2))
        batch = Batch(
            **{
                "workspace": workspace,
                "api_id": api_id,
                "processing_status": "in_progress",
                "created_at": created_at,
                "expires_at": created_at + timedelta(hours=24),
                "raw": {"id": api_id},
                "first_seen_at": created_at,
                "changed_at": created_at,
                **counts,
                **columns,
            }
        )
        batch.derive()
        with transaction.atomic():
            batch.revision = batch.first_revision = Revision.take(1)
            batch.save()
        Workspace.objects.filter(pk=batch.workspace_id).update(latest_revision=batch.revision)
        return batch

    return row


@pytest.fixture
def change() -> Callable[..., None]:
    """A function that changes a row as the sync would: with a revision of its own."""

    def change(batch: Batch, **columns) -> None:
        for name, value in columns.items():
            setattr(batch, name, value)
        batch.derive()
        with transaction.atomic():
            batch.revision = Revision.take(1)
            batch.save()
        Workspace.objects.filter(pk=batch.workspace_id).update(latest_revision=batch.revision)

    return change
