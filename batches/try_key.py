"""Tests a key with one call to the API, before the key is stored."""

import threading
from dataclasses import dataclass
from enum import StrEnum

from batches import connect
from batches.client import ApiError, NotTheApi, TryLater, Unreachable
from batches.models import Workspace

# A person waits for the result.
TRY_SECONDS = 5.0
# Each test holds a thread of the web process while it waits.
MOST_AT_ONCE = 2

_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class Outcome(StrEnum):
    """How a test ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    # Nothing is known about the key: no answer came, or the API asked to wait.
    SILENT = "silent"
    NOT_THE_API = "not the API"
    # Too many other tests are running: nothing was sent.
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of testing a key. `error` can be shown to people; empty for an accepted key.

    `workspace_id` is the Anthropic workspace that the answer names, empty if it names none.
    """

    outcome: Outcome
    workspace_id: str = ""
    error: str = ""


def try_key(workspace: Workspace) -> Trial:
    """List one batch with the workspace's key, in at most TRY_SECONDS; `workspace` may be unsaved.

    Makes the same call as a round, without retries, and stores nothing. Call it outside of
    transactions, as it waits for the network. Raises ValueError as `connect.new_client` does.
    """
    if not _places.acquire(blocking=False):
        return Trial(Outcome.BUSY, error="Other keys are being tested. Try again in a few seconds.")
    try:
        return _list_one(workspace)
    finally:
        _places.release()


def _list_one(workspace: Workspace) -> Trial:
    with connect.new_client(workspace, attempts=1, total_seconds=TRY_SECONDS) as client:
        try:
            page = client.list_page(limit=1)
        except ApiError as error:
            return Trial(_outcome_of(error), error=str(error))
    return Trial(Outcome.ACCEPTED, workspace_id=page.workspace_id)


def _outcome_of(error: ApiError) -> Outcome:
    if isinstance(error, NotTheApi):
        return Outcome.NOT_THE_API
    if isinstance(error, TryLater | Unreachable):
        return Outcome.SILENT
    return Outcome.REFUSED
