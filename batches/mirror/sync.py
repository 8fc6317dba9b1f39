"""API → rows: runs one round of a workspace and saves how it went."""

import time

import structlog
from django.conf import settings

from batches import clock, connect
from batches.client import ApiError, KeyRefused, TryLater
from batches.mirror.history import usual_durations
from batches.mirror.round import Round, RoundStopped
from batches.mirror.store import OtherWorkspace
from batches.models import Workspace
from batches.models.workspace import REFUSED_SECONDS
from batches.turn import Turn

log = structlog.get_logger(__name__)

# Without active batches, only new ones can appear, so rounds are this many times less frequent.
IDLE_POLLS = 3


def sync_workspace(workspace: Workspace, turn: Turn) -> bool:
    """Run one round of a claimed workspace, and give the claim back.

    True if the newest page was read. An error is saved on the workspace, for pages to show, and
    the next round is put off. Raises ClaimLost.
    """
    try:
        current = Round(workspace, connect.client_for(workspace, is_round=True), turn)
        current.run()
    except RoundStopped:
        workspace.hand_back(clock.now())
        return False
    except (ApiError, OtherWorkspace, connect.CannotCall) as error:
        _failed(workspace, error)
        return False
    _succeeded(current)
    return True


def _succeeded(done: Round) -> None:
    workspace = done.workspace
    is_busy = workspace.batches.active().exists()
    interval = max(settings.BATCHBOARD_POLL_SECONDS * (1 if is_busy else IDLE_POLLS), done.pause)
    workspace.done(
        clock.now(),
        # While the complete listing is unfinished, the next round continues it at once.
        seconds=(done.pause or None) if done.is_unfinished else interval,
        # A round may take longer than the interval between rounds.
        interval_seconds=max(interval, time.monotonic() - done.began),
        notice=_notice(done),
        **({"usual_durations": usual_durations(workspace)} if done.stored.has_news else {}),
    )
    if done.stored.has_news:
        log.info(
            "round",
            workspace=workspace.slug,
            created=done.stored.created,
            changed=done.stored.changed,
            pages=done.pages,
        )


def _notice(done: Round) -> str:
    """What people should know about a successful round, one line each."""
    lines = list(done.notices)
    if done.unreadable:
        lines.append(
            f"{len(done.unreadable)} batches in the API's list can't be read, so what is shown of "
            f"them may be out of date. One of them: {done.unreadable[0]}."
        )
    if done.workspace.has_twins:
        lines.append(
            "Another workspace in Batchboard lists some of the same batches: both keys belong to "
            "the same Anthropic workspace. If you see both, each batch is shown and counted once."
        )
    return "\n".join(lines)[:2000]


def _failed(workspace: Workspace, error: Exception) -> None:
    now = clock.now()
    hold, at_least = workspace.hold, 0.0
    if isinstance(error, KeyRefused):
        hold, at_least = Workspace.Hold.REFUSED, REFUSED_SECONDS
    elif isinstance(error, OtherWorkspace):
        hold, at_least = Workspace.Hold.FOREIGN, REFUSED_SECONDS
    elif isinstance(error, TryLater):
        at_least = error.retry_after or 0.0
    request_id = error.request_id if isinstance(error, ApiError) else ""
    wait = workspace.put_off(now, str(error), request_id=request_id, at_least=at_least, hold=hold)
    log.warning("round failed", workspace=workspace.slug, error=str(error), wait=wait)
