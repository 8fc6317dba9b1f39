"""Serves a long list of batches that was generated beforehand, so that only reading it is timed."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 1000


def batch(number: int, now: datetime) -> dict[str, object]:
    """A complete MessageBatch as the API writes it; the newest is number 0."""
    created = now - timedelta(seconds=30 * number)
    api_id = f"msgbatch_{number:024d}"
    has_ended = created < now - timedelta(hours=1)
    return {
        "id": api_id,
        "type": "message_batch",
        "processing_status": "ended" if has_ended else "in_progress",
        "request_counts": {
            "processing": 0 if has_ended else 900,
            "succeeded": 890 if has_ended else 0,
            "errored": 10 if has_ended else 0,
            "canceled": 0,
            "expired": 0,
        },
        "ended_at": (created + timedelta(minutes=40)).isoformat() if has_ended else None,
        "created_at": created.isoformat(),
        "expires_at": (created + timedelta(hours=24)).isoformat(),
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": f"https://api.example.com/v1/messages/batches/{api_id}/results",
    }


@contextmanager
def served(batches: int) -> Iterator[str]:
    """The base URL of a list of that many batches, in pages of 1,000."""
    now = datetime.now(UTC)
    pages: dict[str, bytes] = {}
    cursor = ""
    for first in range(0, batches, PAGE):
        data = [batch(number, now) for number in range(first, min(first + PAGE, batches))]
        last_id = str(data[-1]["id"])
        page = {
            "data": data,
            "has_more": first + PAGE < batches,
            "first_id": data[0]["id"],
            "last_id": last_id,
        }
        pages[cursor] = json.dumps(page).encode()
        cursor = last_id

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            body = pages[query.get("after_id", [""])[0]]
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Log nothing, because logging would be timed too."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
