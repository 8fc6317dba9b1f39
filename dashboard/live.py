"""What a poll compares, and when a workspace counts as fresh."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


def as_of(workspaces: list[Workspace]) -> dict[str, Any]:
    """When each workspace was last heard from, by primary key: what an unchanged poll brings."""
    return {str(w.pk): w.last_synced_at.isoformat() if w.last_synced_at else "" for w in workspaces}
