"""Creates batches in any state that a test or the demo needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from batches.sandbox.life import EXPIRES_AFTER, FinalCounts, StoredBatch
from batches.sandbox.quirks import checked

HOUR = timedelta(hours=1)
DEFAULT_REQUESTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The state of a batch to create. None means the default; see `staged`.

    `duration` is the time from creation to the end without a cancel. The four counts are final
    ones. Without `succeeded`, all requests that the other counts don't cover succeed. An ended
    batch with `cancel_initiated_at` was canceled, possibly too late. If it is not
    `is_interruptible`, a cancel stops no request.

    `prompt_tokens` is the median prompt, and no prompt is far longer; zero means random prompts.
    With `odd_lines`, one result in ten has the type `withheld` (the request counts count it as
    succeeded) or, if it errored, an error that is nested differently, and another one in ten does
    not say how long its cache writes stay. `quirks` are names from `batches.sandbox.quirks`, such
    as "passes" or "fast"; each affects a tenth of the succeeded requests.
    """

    status: str = "in_progress"
    requests: int | None = None
    created_at: datetime | None = None
    duration: timedelta | None = None
    succeeded: int | None = None
    errored: int | None = None
    canceled: int | None = None
    expired: int | None = None
    cancel_initiated_at: datetime | None = None
    canceling_for: timedelta = timedelta(seconds=40)
    moving_counts: bool = False
    is_interruptible: bool = True
    models: Sequence[str] = ()
    prompt_tokens: int = 0
    odd_lines: bool = False
    quirks: Sequence[str] = ()


def staged(scene: Scene, batch_id: str, workspace: str, now: datetime) -> StoredBatch:
    """The batch that is in the scene's state at `now`.

    By default, a batch in progress was just created and runs for an hour, one that is canceling
    continues for `canceling_for`, and one that has ended was created an hour ago and ran for half
    an hour (if requests expired, it was created 25 hours ago and ran for 24). Raises ValueError for
    an impossible scene, such as counts that don't add up or an end in the future.
    """
    counts = _final_counts(scene)
    if scene.duration is not None and not timedelta(0) < scene.duration <= EXPIRES_AFTER:
        raise ValueError("A batch's duration must be above zero and at most 24 hours.")
    if scene.status == "ended":
        return _ended(scene, counts, batch_id, workspace, now)
    if scene.status not in ("in_progress", "canceling"):
        raise ValueError(f"No batch has the status {scene.status!r}.")
    created_at = scene.created_at or now
    if now >= created_at + EXPIRES_AFTER:
        raise ValueError("A batch that was created a day ago has ended.")
    if counts.canceled and scene.status == "in_progress":
        raise ValueError("A batch with canceled requests must be canceling or ended.")
    ends_at = created_at + scene.duration if scene.duration else _later(created_at, now)
    is_canceling = scene.status == "canceling"
    canceled_at = scene.cancel_initiated_at or now
    return StoredBatch(
        id=batch_id,
        workspace=workspace,
        created_at=created_at,
        ends_at=ends_at,
        planned=_without_cancel(counts) if is_canceling else counts,
        models=tuple(scene.models),
        prompt_tokens=scene.prompt_tokens,
        moving_counts=scene.moving_counts,
        odd_lines=scene.odd_lines,
        quirks=checked(tuple(scene.quirks)),
        is_interruptible=scene.is_interruptible,
        cancel_initiated_at=canceled_at if is_canceling else None,
        cancel_ends_at=now + scene.canceling_for if is_canceling else None,
        settled=counts if is_canceling else None,
    )


def _ended(
    scene: Scene, counts: FinalCounts, batch_id: str, workspace: str, now: datetime
) -> StoredBatch:
    age = EXPIRES_AFTER + HOUR if counts.expired else HOUR
    created_at = scene.created_at or now - max(age, scene.duration or age)
    usual = EXPIRES_AFTER if counts.expired else min(HOUR / 2, now - created_at)
    ends_at = created_at + (usual if scene.duration is None else scene.duration)
    if ends_at > now:
        raise ValueError("A batch that has ended can't end in the future.")
    canceled_at = scene.cancel_initiated_at
    if counts.canceled and canceled_at is None:
        canceled_at = max(created_at, ends_at - scene.canceling_for)
    return StoredBatch(
        id=batch_id,
        workspace=workspace,
        created_at=created_at,
        ends_at=ends_at,
        planned=_without_cancel(counts) if canceled_at else counts,
        models=tuple(scene.models),
        prompt_tokens=scene.prompt_tokens,
        moving_counts=scene.moving_counts,
        odd_lines=scene.odd_lines,
        quirks=checked(tuple(scene.quirks)),
        cancel_initiated_at=canceled_at,
        cancel_ends_at=ends_at if canceled_at else None,
        settled=counts if canceled_at else None,
    )


def _final_counts(scene: Scene) -> FinalCounts:
    given = {
        name: getattr(scene, name) or 0 for name in ("succeeded", "errored", "canceled", "expired")
    }
    if any(count < 0 for count in given.values()):
        raise ValueError("A count can't be negative.")
    total = sum(given.values())
    requests = scene.requests
    if requests is None:
        requests = total or DEFAULT_REQUESTS
    if scene.succeeded is None:
        given["succeeded"] = requests - total
    counts = FinalCounts(**given)
    if counts.total != requests or given["succeeded"] < 0 or requests < 1:
        raise ValueError(f"The counts {given} don't add up to {requests} requests.")
    return counts


def _without_cancel(counts: FinalCounts) -> FinalCounts:
    return FinalCounts(
        succeeded=counts.succeeded + counts.canceled,
        errored=counts.errored,
        expired=counts.expired,
    )


def _later(created_at: datetime, now: datetime) -> datetime:
    """An hour after creation or, if that has passed, after now. At most 24 hours after creation."""
    usual = created_at + HOUR
    return usual if usual > now else min(now + HOUR, created_at + EXPIRES_AFTER)
