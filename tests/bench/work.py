"""The worker: how soon a cancellation is called while it reads files, and how quickly it claims."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.bench.listing import batch
from tests.bench.reading import BLOCK_LINES, line

CANCELS = 100
CANCELS_A_SECOND = 10
# Each is 1 GB, so that the readers never run out of work.
FILES = 40
FILE_BLOCKS = 1_000
ROWS = 20_000
WORKERS = 8


@contextmanager
def api_served() -> Iterator[str]:
    """The base URL of an API that accepts every cancel and whose results files never seem to end.

    The batch in a cancel's answer says when the call came: `received_at`, in seconds.
    """
    lines = b"".join(line(number, 10_000) for number in range(BLOCK_LINES // 10))
    chunk = b"%x\r\n%s\r\n" % (len(lines), lines)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/x-jsonl")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for _ in range(FILE_BLOCKS):
                self.wfile.write(chunk)
            self.wfile.write(b"0\r\n\r\n")

        def do_POST(self) -> None:
            received_at = time.time()
            api_id = self.path.split("/")[-2]
            canceled = batch(0, datetime.now(UTC)) | {
                "id": api_id,
                "processing_status": "canceling",
                "cancel_initiated_at": datetime.now(UTC).isoformat(),
                "received_at": received_at,
            }
            body = json.dumps(canceled).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Log nothing, because logging would be timed too."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *request: object) -> None:
            """Ignore readers that disconnect when they are stopped."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def cancel_latencies(base_url: str) -> dict[str, list[float]]:
    """Seconds from a cancellation being due to its call, while four readers work."""
    from batches import clock
    from batches.models import Batch, Cancellation, Reading
    from batches.models.batch import COUNTS
    from batches.worker.kinds import KINDS
    from batches.worker.loop import Worker

    running = make_rows(base_url)
    worker = Worker([kind for kind in KINDS if kind.name in {"cancel", "results"}])
    thread = threading.Thread(target=worker.run)
    thread.start()
    pause = threading.Event()
    while Reading.objects.exclude(claim="").count() < 4:
        pause.wait(0.1)
    due_at: dict[str, float] = {}
    for row in running:
        due_at[row.api_id] = time.time()
        Cancellation.objects.create(
            batch=row, batch_api_id=row.api_id, requested_by_name="bench",
            requested_at=clock.now(), **{f"{name}_at_request": 0 for name in COUNTS},
        )  # fmt: skip
        pause.wait(1 / CANCELS_A_SECOND)
    while Cancellation.objects.open().exists():
        pause.wait(0.1)
    still_reading = Reading.objects.exclude(claim="").count()
    assert still_reading >= 4, still_reading
    worker.ask_to_stop()
    thread.join()
    called = Batch.objects.filter(api_id__in=due_at)
    return {"seconds": [row.raw["received_at"] - due_at[row.api_id] for row in called]}


def make_rows(base_url: str):
    """Batches that run, and others whose results are to be read."""
    from django.utils import timezone

    from batches.models import Batch, Workspace
    from tests.bench.rows import row

    workspace = Workspace.objects.create(
        name="Bench", slug="bench", base_url=base_url, api_key="bench"
    )
    rows = []
    for number in range(CANCELS + FILES):
        made = row(workspace, number, timezone.now() - timedelta(hours=1), _Chance())
        is_running = number < CANCELS
        made.processing_status = "in_progress" if is_running else "ended"
        made.succeeded = 0 if is_running else FILE_BLOCKS * BLOCK_LINES // 10
        made.processing = 900 if is_running else 0
        made.errored = made.canceled = made.expired = 0
        made.ended_at = None if is_running else timezone.now()
        made.derive()
        rows.append(made)
    return Batch.objects.bulk_create(rows)[:CANCELS]


class _Chance:
    """Always choose the first rows."""

    @staticmethod
    def choice(values):
        return values[0]


def claims_a_second() -> dict[str, float]:
    """How many rows a second eight processes claim and give back on one PostgreSQL server."""
    from batches.models import Chore

    Chore.objects.bulk_create([Chore(name=f"chore {n}") for n in range(ROWS)], batch_size=1000)
    command = [sys.executable, "-m", "tests.bench.measure", "claim_until_none"]
    began = time.perf_counter()
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)
    ]
    told = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    assert sum(each["claimed"] for each in told) == ROWS
    # From the first claim to the last, without the start of the processes.
    seconds = max(each["ended"] for each in told) - min(each["began"] for each in told)
    assert seconds < time.perf_counter() - began
    return {"claims": ROWS / seconds, "least": min(each["claimed"] for each in told)}


def claim_until_none() -> dict[str, float]:
    """Claims and gives back rows as a worker's loop does, without working on them."""
    from batches import clock
    from batches.models import Chore
    from batches.worker.loop import some_of

    claimed, began = 0, time.time()
    while True:
        now = clock.now()
        due = Chore.objects.due(now).order_by("next_attempt_at", "id")
        token, keys = Chore.objects.take(some_of(due, 16), now, owner="bench")
        if not keys and not due.exists():
            break
        Chore.objects.filter(pk__in=keys, claim=token).update(
            claim="", claimed_until=None, stamped_at=now,
            next_attempt_at=now + timedelta(hours=1),
        )  # fmt: skip
        claimed += len(keys)
    return {"claimed": claimed, "began": began, "ended": time.time()}
