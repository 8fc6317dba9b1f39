"""Polls: the version of a page, and the answer when it has not changed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import connection
from django.http import HttpResponse

from batches import clock
from batches.models import WorkerProcess, Workspace
from dashboard.health import health_of
from dashboard.query_form import row_key

# How often a page polls: while something on it may change, and otherwise.
ACTIVE_SECONDS, IDLE_SECONDS = 3, 30


@dataclass(frozen=True, slots=True)
class Version:
    """Identifies what a page shows: its newest revision, digests of its workspaces' health, and
    of what else changes without a revision.
    """

    revision: int
    health: str
    rest: str = ""

    def __str__(self) -> str:
        return f"{self.revision}.{self.health}.{self.rest}"

    @classmethod
    def of(cls, workspaces: Sequence[Workspace], now: datetime) -> "Version":
        revision = max((w.latest_revision for w in workspaces), default=0)
        return cls(revision, digest([health_of(each, now).digest() for each in workspaces]))

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Reads what `str` wrote; revision 0 for anything else."""
        revision, _, others = text.partition(".")
        health, _, rest = others.partition(".")
        number = row_key(revision)
        return cls(0, "") if number is None else cls(number, health[:20], rest[:20])


def digest(shown: object) -> str:
    return hashlib.blake2s(repr(shown).encode(), digest_size=6).hexdigest()


def unchanged(workspaces: list[Any]) -> HttpResponse:
    """204, which htmx does not swap; the header updates the time of the last sync."""
    answer = HttpResponse(status=204)
    answer["HX-Trigger"] = json.dumps({"synced": as_of(workspaces)})
    return answer


def watched_by(user: Any) -> list[Workspace]:
    """The person's workspaces, with only the columns that an unchanged poll needs; one query.

    Raw SQL, because every open page needs it every few seconds, and building the query with the
    ORM takes longer than running it.
    """
    sql = _watched_sql(everything=user.is_superuser)
    workspaces = list(Workspace.objects.raw(sql, [] if user.is_superuser else [user.pk]))
    for workspace in workspaces:
        seen: Any = workspace.worker_seen_at
        if isinstance(seen, str):
            # SQLite stores times as text, which Django converts only for fields of the model.
            workspace.worker_seen_at = datetime.fromisoformat(seen).replace(tzinfo=UTC)
    return workspaces


# The columns that `Health` depends on.
WATCHED = (
    *("id", "is_enabled", "last_synced_at", "interval_seconds", "latest_revision", "hold"),
    *("error", "error_at", "request_id", "notice", "backfilled_at", "listing_reached_at"),
)


@cache
def _watched_sql(*, everything: bool) -> str:
    quote = connection.ops.quote_name
    table, members = (
        quote(Workspace._meta.db_table),
        quote(Workspace.members.through._meta.db_table),
    )
    columns = ", ".join(f"{table}.{quote(name)}" for name in WATCHED)
    workers = quote(WorkerProcess._meta.db_table)
    seen = (
        f"(SELECT MAX(seen_at) FROM {workers} WHERE ended_at IS NULL"  # noqa: S608
        f" AND kinds LIKE '%%,sync,%%') AS worker_seen_at"
    )
    membership = f"JOIN {members} ON {members}.workspace_id = {table}.id AND {members}.user_id = %s"
    join = "" if everything else membership
    return f"SELECT {columns}, {seen} FROM {table} {join} ORDER BY {table}.name"  # noqa: S608


def as_of(workspaces: list[Workspace]) -> dict[str, Any]:
    """When each workspace last synced, by primary key.

    Empty for never, and for a time in the future.
    """
    now = clock.now()
    moments = [(str(w.pk), w.last_synced_at) for w in workspaces]
    return {pk: at.isoformat() if at and not clock.is_future(at, now) else "" for pk, at in moments}
