"""What a poll compares, and when a workspace counts as fresh."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection

from batches.models import Workspace

# The pace of polls: quick while something can change, slow where nothing does (ux.md 17).
ACTIVE_SECONDS, IDLE_SECONDS = 3, 30


@dataclass(frozen=True, slots=True)
class Health:
    """How a workspace's mirror is doing, in a word that pages and polls share.

    `fresh`, `waiting` (no round has ended yet), `stale`, `refused` (its key) or `off`.
    """

    workspace: Workspace
    word: str

    @property
    def is_warning(self) -> bool:
        return self.word in {"stale", "refused"}


def health_of(workspace: Workspace, now: datetime) -> Health:
    if not workspace.is_enabled:
        return Health(workspace, "off")
    if workspace.is_key_refused:
        return Health(workspace, "refused")
    if workspace.last_synced_at is None:
        return Health(workspace, "stale" if workspace.last_error else "waiting")
    return Health(workspace, "stale" if workspace.is_stale(now) else "fresh")


@dataclass(frozen=True, slots=True)
class Version:
    """What a page shows, in one value: the newest change in it, and how its workspaces are."""

    revision: int
    health: str

    def __str__(self) -> str:
        return f"{self.revision}.{self.health}"

    @classmethod
    def of(cls, workspaces: list[Workspace], now: datetime) -> "Version":
        revision = max((w.latest_revision for w in workspaces), default=0)
        told = [(w.pk, health_of(w, now).word, w.last_error, w.notice) for w in workspaces]
        digest = hashlib.blake2s(repr(told).encode(), digest_size=6).hexdigest()
        return cls(revision, digest)

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Nothing seen yet, for anything that isn't a version."""
        revision, _, health = text.partition(".")
        if revision.isascii() and revision.isdigit() and len(revision) < 19:
            return cls(int(revision), health[:20])
        return cls(0, "")


def watched_by(user: Any) -> list[Workspace]:
    """The person's workspaces with only what an unchanged poll asks of them; one query.

    Raw, as every open page asks this every few seconds, and building it with the ORM would
    take longer than the query.
    """
    sql = _watched_sql(everything=user.is_superuser)
    return list(Workspace.objects.raw(sql, [] if user.is_superuser else [user.pk]))


WATCHED = ("id", "is_enabled", "last_synced_at", "interval_seconds", "latest_revision",
           "last_error", "notice", "refused_key")  # fmt: skip


@cache
def _watched_sql(*, everything: bool) -> str:
    quote = connection.ops.quote_name
    table, members = (
        quote(Workspace._meta.db_table),
        quote(Workspace.members.through._meta.db_table),
    )
    columns = ", ".join(f"{table}.{quote(name)}" for name in WATCHED)
    mine = f"JOIN {members} ON {members}.workspace_id = {table}.id AND {members}.user_id = %s"
    return f"SELECT {columns} FROM {table} {'' if everything else mine} ORDER BY {table}.name"  # noqa: S608


def as_of(workspaces: list[Workspace]) -> dict[str, Any]:
    """When each workspace was last heard from, by primary key: what an unchanged poll brings."""
    return {str(w.pk): w.last_synced_at.isoformat() if w.last_synced_at else "" for w in workspaces}
