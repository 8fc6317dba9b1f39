"""The API's endpoints for batches."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from batches.sandbox.calls import Call, read_body, read_limit, read_query, wrong_method
from batches.sandbox.life import FinalCounts, StoredBatch
from batches.sandbox.refusals import RefusalError
from batches.sandbox.replies import RESULTS_TYPE, Reply
from batches.sandbox.validation import parse_create
from batches.sandbox.world import World

ROOT = "/v1/messages/batches"
ONE_BATCH = re.compile(rf"{ROOT}/(?P<id>[^/]+)(?P<action>/cancel|/results)?")
# As in real traffic: a batch that has not ended comes with a `retry-after` header.
POLL_HINT_SECONDS = "10"


class Routes:
    """Answers the calls of a workspace.

    With `lenient`, it also answers what the tests of the official SDK request: IDs of batches that
    don't exist, and a list with both cursors at once.
    """

    def __init__(self, world: World, base_url: str, *, lenient: bool) -> None:
        self.world = world
        self.base_url = base_url
        self.lenient = lenient

    def answer(self, call: Call, workspace: str) -> Reply:
        """The response to a call. Raises RefusalError for what is refused."""
        if call.path == ROOT:
            return self._collection(call, workspace)
        match = ONE_BATCH.fullmatch(call.path)
        if not match:
            raise RefusalError(404, f"Not found: {call.path[:200]}")
        endpoints: dict[str, dict[str, Callable[[str, str], Reply]]] = {
            "": {"GET": self._retrieve, "DELETE": self._delete},
            "/cancel": {"POST": self._cancel},
            "/results": {"GET": self._results},
        }
        allowed = endpoints[match["action"] or ""]
        if call.method not in allowed:
            raise wrong_method(*allowed)
        return allowed[call.method](workspace, match["id"])

    def _collection(self, call: Call, workspace: str) -> Reply:
        if call.method == "GET":
            return self._list(call.query, workspace)
        if call.method == "POST":
            return self._one(self.world.create(workspace, parse_create(read_body(call))))
        raise wrong_method("GET", "POST")

    def _list(self, query: str, workspace: str) -> Reply:
        values = dict(read_query(query))
        cursors = {name: values.get(name, "") for name in ("after_id", "before_id")}
        if self.lenient:
            cursors = self._known(cursors, workspace)
        elif all(cursors.values()):
            raise RefusalError(400, "Only one of after_id and before_id can be given.")
        page = self.world.page(workspace, read_limit(values.get("limit")), **cursors)
        items = [self._described(batch) for batch in page.batches]
        return Reply.json(
            {
                "data": items,
                "has_more": page.has_more,
                "first_id": items[0]["id"] if items else None,
                "last_id": items[-1]["id"] if items else None,
            }
        )

    def _known(self, cursors: dict[str, str], workspace: str) -> dict[str, str]:
        return {
            name: cursor if self.world.has(workspace, cursor) else ""
            for name, cursor in cursors.items()
        }

    def _retrieve(self, workspace: str, batch_id: str) -> Reply:
        if self._is_imagined(workspace, batch_id):
            return Reply.json(self._imagined(batch_id, ended=True))
        return self._one(self.world.find(workspace, batch_id))

    def _cancel(self, workspace: str, batch_id: str) -> Reply:
        if self._is_imagined(workspace, batch_id):
            return Reply.json(self._imagined(batch_id, ended=False))
        return self._one(self.world.cancel(workspace, batch_id))

    def _delete(self, workspace: str, batch_id: str) -> Reply:
        if not self._is_imagined(workspace, batch_id):
            self.world.delete(workspace, batch_id)
        return Reply.json({"id": batch_id, "type": "message_batch_deleted"})

    def _results(self, workspace: str, batch_id: str) -> Reply:
        blocks = (
            iter([b'{"custom_id":"imagined","result":{"type":"canceled"}}\n'])
            if self._is_imagined(workspace, batch_id)
            else self.world.results(workspace, batch_id)
        )
        return Reply(200, blocks, content_type=RESULTS_TYPE)

    def _one(self, batch: StoredBatch) -> Reply:
        described = self._described(batch)
        if described["processing_status"] == "ended":
            return Reply.json(described)
        return Reply.json(described, retry_after=POLL_HINT_SECONDS)

    def _described(self, batch: StoredBatch) -> dict[str, Any]:
        return batch.describe(self.world.clock.now(), self.base_url)

    def _is_imagined(self, workspace: str, batch_id: str) -> bool:
        return self.lenient and not self.world.has(workspace, batch_id)

    def _imagined(self, batch_id: str, *, ended: bool) -> dict[str, Any]:
        """The MessageBatch object of a batch that does not exist: just canceled, perhaps ended."""
        now = self.world.clock.now()
        batch = StoredBatch(
            id=batch_id,
            workspace="",
            created_at=now - timedelta(minutes=2),
            ends_at=now + timedelta(hours=1),
            planned=FinalCounts(succeeded=1),
            cancel_initiated_at=now - timedelta(minutes=1),
            cancel_ends_at=now if ended else now + timedelta(minutes=1),
            settled=FinalCounts(canceled=1),
        )
        return batch.describe(now, self.base_url)
