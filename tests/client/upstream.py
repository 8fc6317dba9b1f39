"""A fake API that sends the replies given by a test."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from batches.client import BatchClient

KEY = "sk-ant-test-0123456789"
BATCHES = "/v1/messages/batches"

type Reply = Callable[[httpx.Request], httpx.Response]


class Upstream:
    """Sends its replies in turn, repeats the last one, and records the HTTP requests."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return reply(request)

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    def client(self, base_url: str = "https://api.test", **options: Any) -> BatchClient:
        return BatchClient(base_url, KEY, transport=self.transport(), **options)


def reply(status: int = 200, **content: Any) -> Reply:
    return lambda request: httpx.Response(status, **content)


def refusal(status: int, type: str = "api_error", message: str = "No.", **headers: str) -> Reply:
    error = {"type": "error", "error": {"type": type, "message": message}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(status, json=error, headers={"request-id": "req_1"} | named)


def broken(error: type[httpx.TransportError], message: str = "broken") -> Reply:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error(message, request=request)

    return fail


def batch_json(batch_id: str = "msgbatch_1", **changes: Any) -> dict[str, Any]:
    return {
        "id": batch_id,
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": {
            "processing": 5,
            "succeeded": 4,
            "errored": 3,
            "canceled": 2,
            "expired": 1,
        },
        "ended_at": None,
        "created_at": "2026-11-01T10:00:00.250000+00:00",
        "expires_at": "2026-11-02T10:00:00.250000+00:00",
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    } | changes


def page_json(*items: Any, has_more: bool = False, **changes: Any) -> dict[str, Any]:
    ids = [item["id"] for item in items if isinstance(item, dict) and "id" in item]
    return {
        "data": list(items),
        "has_more": has_more,
        "first_id": ids[0] if ids else None,
        "last_id": ids[-1] if ids else None,
    } | changes


@contextmanager
def calls(client: BatchClient) -> Iterator[dict[str, Callable[[], object]]]:
    """Each operation of the client by its name, ready to be called."""

    def read_results() -> bytes:
        with client.stream_results("msgbatch_1") as chunks:
            return b"".join(chunks)

    with client:
        yield {
            "list": client.list_page,
            "retrieve": lambda: client.retrieve("msgbatch_1"),
            "cancel": lambda: client.cancel("msgbatch_1"),
            "results": read_results,
        }
