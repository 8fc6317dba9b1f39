"""How up to date each workspace is, and the notices about those that are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from batches.client import KeyRefused, TryLater, Unreachable
from batches.clock import is_future
from batches.connect import UNDECRYPTABLE
from batches.models import Workspace
from batches.models.workspace import STALE_AFTER_POLLS
from dashboard.words import duration

# More workspaces than this are counted, not named.
MOST_NAMED = 3
# The icon and the level of each kind, in the order in which they are shown.
NOTICE_KINDS = {
    "worker": ("triangle-alert", "error"),
    "refused": ("key-round", "error"),
    "foreign": ("key-round", "error"),
    "undecryptable": ("key-round", "error"),
    "api": ("triangle-alert", "warning"),
    "failing": ("triangle-alert", "warning"),
    "slow": ("triangle-alert", "warning"),
    "notice": ("triangle-alert", "warning"),
    "waiting": ("hourglass", "info"),
    "listing": ("hourglass", "info"),
    "off": ("circle-pause", "info"),
}


@dataclass(frozen=True, slots=True)
class Health:
    """How up to date a workspace is.

    `word` is `fresh`, `waiting` (for the first sync), `stale`, `refused` (its key), `foreign`
    (its key belongs to another Anthropic workspace) or `off`. `cause` is the kind of its notice,
    one of NOTICE_KINDS, or `fresh` if there is none.
    """

    workspace: Workspace
    word: str
    cause: str
    is_worker_running: bool
    # None if it never synced, or if the time of the last sync lies in the future.
    synced_at: datetime | None

    @property
    def shows_error(self) -> bool:
        return self.cause in {"refused", "foreign", "undecryptable", "api", "failing"}

    @property
    def is_listing(self) -> bool:
        """The newest batches are there, and older ones are still being listed."""
        return self.word == "fresh" and self.workspace.backfilled_at is None

    @property
    def error(self) -> str:
        """The last error, with the request ID that Anthropic's support asks for."""
        error, named = self.workspace.error, self.workspace.request_id
        if not error or not named or named in error:
            return error
        return f"{error} ({named if named.startswith('cf-ray ') else f'request ID {named}'})"

    @property
    def refusal(self) -> str:
        """Anthropic's reason, to follow "Anthropic refused the key"; may be empty."""
        lead, error = KeyRefused.lead, self.error
        return error.removeprefix(lead) if error.startswith(lead) else ""

    @property
    def patience_seconds(self) -> int:
        """How long after a sync the workspace counts as fresh."""
        return round(STALE_AFTER_POLLS * self.workspace.interval_seconds)

    def digest(self) -> tuple[object, ...]:
        """All that a page shows of it, except the time of the last sync while it is fresh."""
        workspace = self.workspace
        shown: tuple[object, ...] = (workspace.pk, self.word, self.cause, self.is_worker_running)
        if self.word not in {"fresh", "waiting"}:
            shown += (self.synced_at,)
        if self.shows_error:
            shown += (workspace.error, workspace.error_at, workspace.request_id)
        if self.is_listing:
            shown += (workspace.listing_reached_at,)
        return (*shown, workspace.notice)


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice about all workspaces to which it applies."""

    kind: str
    healths: Sequence[Health]

    @property
    def icon(self) -> str:
        return NOTICE_KINDS[self.kind][0]

    @property
    def level(self) -> str:
        return NOTICE_KINDS[self.kind][1]

    @property
    def has_not(self) -> str:
        return "hasn’t" if len(self.healths) == 1 else "haven’t"

    @property
    def names(self) -> str:
        return names(self.healths)

    @property
    def shown(self) -> Sequence[Health]:
        """Those with a paragraph of their own."""
        return self.healths[:MOST_NAMED]

    @property
    def others(self) -> str:
        """The names of the others."""
        return names(self.healths[MOST_NAMED:])

    @property
    def synced_at(self) -> datetime | None:
        """The earliest of their last syncs; None if one of them never synced."""
        moments = [health.synced_at for health in self.healths]
        known = [moment for moment in moments if moment]
        return min(known) if len(known) == len(moments) else None

    @property
    def latest(self) -> Health:
        """The workspace with the newest error."""
        return max(
            self.healths,
            key=lambda each: (
                each.workspace.error_at.timestamp() if each.workspace.error_at else 0.0
            ),
        )


@dataclass(frozen=True, slots=True)
class Freshness:
    """How up to date all workspaces are together; those that aren't are named."""

    healths: Sequence[Health]

    @property
    def fresh(self) -> list[Health]:
        return [health for health in self.healths if health.word == "fresh"]

    @property
    def others(self) -> list[Health]:
        return [health for health in self.healths if health.word != "fresh"]

    @property
    def is_folded(self) -> bool:
        """There are too many fresh workspaces to name them all."""
        return len(self.fresh) > MOST_NAMED

    def ages(self, now: datetime) -> str:
        """Such as "9 s ago", or a range: when the fresh ones synced, last and first."""
        ages = [
            (now - health.synced_at).total_seconds() for health in self.fresh if health.synced_at
        ]
        low, high = duration(min(ages, default=0)), duration(max(ages, default=0))
        if low == high:
            return f"{low} ago"
        # Without the unit of the first if both have the same.
        number, _, unit = low.partition(" ")
        return f"{number if high.endswith(f' {unit}') and high.count(' ') == 1 else low}–{high} ago"


def health_of(workspace: Workspace, now: datetime) -> Health:
    """Takes a workspace from `Workspace.objects.for_pages()`."""
    runs = workspace.is_worker_running(now)
    at = workspace.last_synced_at
    word = _word(workspace, now, is_worker_running=runs)
    cause = _cause(workspace, word, is_worker_running=runs)
    return Health(workspace, word, cause, runs, None if at and is_future(at, now) else at)


def _word(workspace: Workspace, now: datetime, *, is_worker_running: bool) -> str:
    if not workspace.is_enabled:
        return "off"
    if workspace.hold:
        return str(workspace.hold)
    if not is_worker_running or UNDECRYPTABLE in workspace.error:
        return "stale"
    if workspace.last_synced_at is None:
        return "stale" if workspace.error else "waiting"
    return "stale" if workspace.is_stale(now) else "fresh"


def _cause(workspace: Workspace, word: str, *, is_worker_running: bool) -> str:
    if word != "stale":
        return "listing" if word == "fresh" and workspace.backfilled_at is None else word
    if not is_worker_running:
        return "worker"
    if UNDECRYPTABLE in workspace.error:
        return "undecryptable"
    if workspace.error.startswith((TryLater.lead, Unreachable.lead)):
        return "api"
    return "failing" if workspace.error else "slow"


def notices(healths: Sequence[Health]) -> list[Notice]:
    """The notices about the workspaces, the most serious first; one for each kind."""
    by_kind: dict[str, list[Health]] = {kind: [] for kind in NOTICE_KINDS}
    for health in healths:
        if health.cause in by_kind:
            by_kind[health.cause].append(health)
        if health.word != "off" and health.workspace.notice:
            by_kind["notice"].append(health)
    return [Notice(kind, found) for kind, found in by_kind.items() if found]


def names(healths: Sequence[Health]) -> str:
    """Such as "Research, Production and 4 more workspaces"."""
    every = [health.workspace.name for health in healths]
    if len(every) > MOST_NAMED:
        more = len(every) - MOST_NAMED + 1
        every = [*every[: MOST_NAMED - 1], f"{more} more workspaces"]
    *first, last = every or [""]
    return f"{', '.join(first)} and {last}" if first else last
