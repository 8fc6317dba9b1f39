"""Look-up: mirrors one batch that a person asks for before a round has listed it."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from batches import clock, connect
from batches.client import ApiError, BatchNotFound
from batches.mirror.store import OtherWorkspace, store
from batches.models import Batch, Workspace

# A person waits for the answer: the limit for all workspaces together.
LOOK_UP_SECONDS = 5.0
# At most this many look-ups call the API at once in one process; other threads serve pages.
MOST_AT_ONCE = 2
# A "no such batch" is remembered for this time, so that repeating a look-up makes no call.
REMEMBERED_SECONDS = 30.0
MOST_REMEMBERED = 1000

_places = threading.BoundedSemaphore(MOST_AT_ONCE)
# By workspace and ID of a batch that the API didn't know: until when that is remembered.
_not_found: dict[tuple[int, str], float] = {}


class TooManyLookUps(Exception):
    """Too many other look-ups are running. The API was not called."""


@dataclass(slots=True)
class LookUp:
    """The result of a look-up. `problems` are sentences about workspaces that gave no answer."""

    batch: Batch | None = None
    problems: list[str] = field(default_factory=list)


def look_up(workspaces: Sequence[Workspace], api_id: str) -> LookUp:
    """Retrieve the batch with each workspace's key until one has it, and mirror it.

    Takes at most LOOK_UP_SECONDS in total. Raises TooManyLookUps.
    """
    if not _places.acquire(blocking=False):
        raise TooManyLookUps
    try:
        return _ask_all(workspaces, api_id)
    finally:
        _places.release()


def _ask_all(workspaces: Sequence[Workspace], api_id: str) -> LookUp:
    answer = LookUp()
    ends_at = time.monotonic() + LOOK_UP_SECONDS
    for number, workspace in enumerate(workspaces):
        if _not_found.get((workspace.pk, api_id), 0.0) > time.monotonic():
            continue
        # A workspace whose address doesn't answer must leave time for the others.
        within = (ends_at - time.monotonic()) / (len(workspaces) - number)
        try:
            answer.batch = _ask(workspace, api_id, within)
        except BatchNotFound:
            _remember(workspace, api_id)
        except (ApiError, OtherWorkspace, connect.CannotCall) as error:
            answer.problems.append(f"{workspace.name}: {error}")
        if answer.batch:
            break
    return answer


def _ask(workspace: Workspace, api_id: str, within: float) -> Batch:
    remote = connect.client_for(workspace).retrieve(api_id, within=within)
    store(workspace, [remote], now=clock.now())
    return Batch.objects.get(workspace=workspace, api_id=remote.id)


def _remember(workspace: Workspace, api_id: str) -> None:
    while len(_not_found) >= MOST_REMEMBERED:
        _not_found.pop(next(iter(_not_found)), None)
    _not_found[workspace.pk, api_id] = time.monotonic() + REMEMBERED_SECONDS
