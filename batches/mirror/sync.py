"""API → rows: one round of a workspace, and what becomes of it."""

import time

import structlog
from django.conf import settings

from batches import clock, connect
from batches.client import ApiError, KeyRefused, TryLater
from batches.mirror.history import usual_durations
from batches.mirror.round import Round, Stopped
from batches.mirror.store import OtherWorkspace
from batches.models import Workspace
from batches.models.workspace import REFUSED_SECONDS
from batches.turn import Turn

log = structlog.get_logger(__name__)

# Where nothing is active only new batches can appear.
IDLE_POLLS = 3


def sync_workspace(workspace: Workspace, turn: Turn) -> bool:
    """One round of a workspace that the caller has claimed; gives the claim back at the end.

    True when the newest page was read. What went wrong is kept on the workspace, for its page to
    show, and the next round is put off. Raises ClaimLost.
    """
    try:
        current = Round(workspace, connect.client_for(workspace, is_round=True), turn)
        current.run()
    except Stopped:
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
        # The next round goes on with the complete listing at once.
        seconds=(done.pause or None) if done.is_unfinished else interval,
        # A round that takes longer than the interval is the pace, too.
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
    """What a person should know of a round that went well all the same; one line each."""
    lines = list(done.notices)
    if done.unreadable:
        lines.append(
            f"{len(done.unreadable)} batches in the API's list can't be read and are not shown "
            f"as they are now, such as {done.unreadable[0]}."
        )
    if done.workspace.has_twins:
        lines.append(
            "Another workspace here lists some of the same batches: both keys belong to the same "
            "Anthropic workspace. Where you see both, each batch is shown and counted once."
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
    named = error.request_id if isinstance(error, ApiError) else ""
    wait = workspace.put_off(now, str(error), request_id=named, at_least=at_least, hold=hold)
    log.warning("round failed", workspace=workspace.slug, error=str(error), wait=wait)
