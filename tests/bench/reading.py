"""Serves a results file of any size, and reads it with Batchboard, the SDK and bare httpx."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.bench.listing import batch

# The number of a batch in the generated list that is over an hour old, and so has ended.
OLD_ENOUGH = 200
LINES = 100_000
FAILED_OF_A_HUNDRED = 5
PASSES_AT = 7
BLOCK_LINES = 1_000
API_ID = "msgbatch_000000000000000000000001"
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5")


def line(number: int, line_bytes: int) -> bytes:
    """One line of about so many bytes, as the API writes them."""
    if number % 100 < FAILED_OF_A_HUNDRED:
        error = {"type": "overloaded_error", "message": "Overloaded"}
        result = {
            "type": "errored",
            "error": {"type": "error", "error": error, "request_id": f"req_{number:024d}"},
        }
        return json.dumps({"custom_id": f"req-{number:06d}", "result": result}).encode() + b"\n"
    message = {
        "id": f"msg_{number:024d}",
        "type": "message",
        "role": "assistant",
        "model": MODELS[number % 2],
        "content": [{"type": "text", "text": "So it goes, line by line. " * (line_bytes // 26)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": used(number),
    }
    result = {"type": "succeeded", "message": message}
    return json.dumps({"custom_id": f"req-{number:06d}", "result": result}).encode() + b"\n"


def used(number: int) -> dict[str, Any]:
    """Usage as the API writes it; a tenth of the requests list their passes."""
    tokens = {
        "input_tokens": 900 + number % 7,
        "output_tokens": 400 + number % 11,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 2_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    }
    usage = tokens | {
        "output_tokens_details": {"thinking_tokens": 0},
        "server_tool_use": None,
        "service_tier": "batch",
        "inference_geo": "global",
    }
    if number % 10 == PASSES_AT:
        usage["iterations"] = [
            {"type": "message", **tokens},
            {"type": "compaction", **tokens},
            {"type": "advisor_message", "model": MODELS[0], **tokens},
        ]
    return usage


@contextmanager
def results_served(total_mb: int) -> Iterator[str]:
    """The base URL of an API with one ended batch, whose LINES lines are about that many MB."""
    size = total_mb * 1_000_000 // LINES - 600
    # The same thousand lines with other IDs each time, so that the server does little but send.
    block = b"".join(line(number, max(size, 26)) for number in range(BLOCK_LINES))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            if not self.path.endswith("/results"):
                self.send_header("content-length", str(len(described)))
                self.end_headers()
                self.wfile.write(described)
                return
            self.send_header("content-type", "application/x-jsonl")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for turn in range(LINES // BLOCK_LINES):
                lines = block.replace(b'"req-000', b'"req-%03d' % turn)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(lines), lines))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *words: object) -> None:
            """Log nothing, because logging would be timed too."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base_url = f"http://127.0.0.1:{server.server_port}"
    # The SDK retrieves the batch first, to learn where its results are.
    results_url = f"{base_url}/v1/messages/batches/{API_ID}/results"
    ended = batch(OLD_ENOUGH, datetime.now(UTC)) | {"id": API_ID, "results_url": results_url}
    described = json.dumps(ended).encode()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield base_url
    finally:
        server.shutdown()
        server.server_close()


def read_file(base_url: str) -> dict[str, float]:
    """Batchboard's reader, `read_results`, including its database writes."""
    from django.utils import timezone

    from batches.models import Batch, Workspace
    from tests.bench.measure import peak_mb
    from tests.working import read_now

    workspace = Workspace.objects.create(
        name="Bench", slug="bench", base_url=base_url, api_key="bench"
    )
    failed = LINES * FAILED_OF_A_HUNDRED // 100
    created_at = timezone.now() - timedelta(hours=2)
    ended = Batch(
        workspace=workspace,
        api_id=API_ID,
        processing_status="ended",
        processing=0,
        succeeded=LINES - failed,
        errored=failed,
        canceled=0,
        expired=0,
        created_at=created_at,
        expires_at=created_at + timedelta(hours=24),
        ended_at=created_at + timedelta(hours=1),
        raw={},
        revision=1,
        first_revision=1,
        first_seen_at=created_at,
        changed_at=created_at,
    )
    ended.derive()
    ended.save()
    start = time.perf_counter()
    assert read_now(ended)
    seconds = time.perf_counter() - start
    usage = list(ended.usage.all())
    assert sum(row.requests for row in usage) == LINES - failed
    assert ended.failed_requests.count() == failed
    # The SDK's loop below sums the messages' own figures.
    tokens = sum(row.input_tokens + row.output_tokens for row in usage if row.part == "message")
    return {"seconds": seconds, "peak_mb": peak_mb(), "tokens": tokens}


def sdk_results(base_url: str) -> dict[str, float]:
    """The official SDK's loop over the same file, summing the same usage."""
    import anthropic

    from tests.bench.measure import peak_mb

    client = anthropic.Anthropic(api_key="bench", base_url=base_url)
    sums: dict[str, list[int]] = {}
    failed: list[tuple[str, str]] = []
    start = time.perf_counter()
    for entry in client.messages.batches.results(API_ID):
        if entry.result.type != "succeeded":
            failed.append((entry.custom_id, entry.result.type))
            continue
        usage = entry.result.message.usage
        total = sums.setdefault(entry.result.message.model, [0, 0, 0, 0])
        total[0] += usage.input_tokens
        total[1] += usage.output_tokens
        total[2] += usage.cache_read_input_tokens or 0
        total[3] += usage.cache_creation_input_tokens or 0
    seconds = time.perf_counter() - start
    assert len(failed) == LINES * FAILED_OF_A_HUNDRED // 100
    tokens = sum(total[0] + total[1] for total in sums.values())
    return {"seconds": seconds, "peak_mb": peak_mb(), "tokens": tokens}


def bare_results(base_url: str) -> dict[str, float]:
    """httpx reading the same bytes and discarding them."""
    import httpx

    received = 0
    with httpx.Client(base_url=base_url, timeout=60) as client:
        start = time.perf_counter()
        with client.stream("GET", f"/v1/messages/batches/{API_ID}/results") as response:
            for chunk in response.iter_bytes():
                received += len(chunk)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "received": received}
