"""A key tried out: one call to the API, outside of any round, before the key is stored."""

import threading
from dataclasses import dataclass
from enum import StrEnum

from batches import connect
from batches.client import ApiError, NotTheApi, TryLater, Unreachable
from batches.models import Workspace

# A person waits for it.
TRY_SECONDS = 5.0
# Each waiting test holds a thread of the web process.
MOST_AT_ONCE = 2

_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class Outcome(StrEnum):
    """How a test ended."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    # Nothing is known of the key: no answer came, or the API asks to wait.
    SILENT = "silent"
    NOT_THE_API = "not the API"
    # Other tests are running: nothing was sent.
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of testing a key. `error` is a sentence for people, empty if it was accepted.

    `workspace_id` is the Anthropic workspace that the answer was for; empty where it did not say.
    """

    outcome: Outcome
    workspace_id: str = ""
    error: str = ""


def try_key(workspace: Workspace) -> Trial:
    """List one batch with the workspace's key, in at most TRY_SECONDS; `workspace` may be unsaved.

    Takes exactly the way that rounds take, once, and stores nothing. Call it outside of
    transactions: it waits for the network. Raises ValueError as `connect.new_client` does.
    """
    if not _places.acquire(blocking=False):
        return Trial(Outcome.BUSY, error="Other keys are being tested. Try again in a few seconds.")
    try:
        return _asked(workspace)
    finally:
        _places.release()


def _asked(workspace: Workspace) -> Trial:
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
