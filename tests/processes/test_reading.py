"""A reader of results that is killed leaves nothing, and the next one reads everything."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import pytest

from tests.processes.crew import ROOT, Crew

pytestmark = pytest.mark.processes
API_ID = "msgbatch_1"
PLACES = 50
SUCCEEDED, ERRORED = 3_000, 600


def results_file() -> bytes:
    """Lines in the API's form; 1,000 tokens in and 10 out for each that succeeded."""
    usage = {"input_tokens": 1_000, "output_tokens": 10}
    message = {"model": "claude-sonnet-4-6", "stop_reason": "end_turn", "usage": usage}
    lines = [
        {"custom_id": f"s-{n}", "result": {"type": "succeeded", "message": message}}
        for n in range(SUCCEEDED)
    ]
    error = {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}
    lines += [
        {"custom_id": f"e-{n}", "result": {"type": "errored", "error": error}}
        for n in range(ERRORED)
    ]
    random.Random(3).shuffle(lines)
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


class Api(ThreadingHTTPServer):
    """An API with one ended batch. May kill the reader once it has sent it so many bytes."""

    daemon_threads = True
    body = results_file()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.kill_at: int | None = None
        self.reader = 0
        self.reader_is_known = threading.Event()

    def kill(self) -> None:
        self.reader_is_known.wait(10)
        os.kill(self.reader, signal.SIGKILL)


class Exchange(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        body = self.server.body
        self.send_response(200)
        self.send_header("content-type", "application/x-jsonl")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.server.kill_at is None:
            self.wfile.write(body)
            return
        self.wfile.write(body[: self.server.kill_at])
        self.wfile.flush()
        self.server.kill()

    def log_message(self, *words: object) -> None:
        """Nothing."""


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def crew(tmp_path, api):
    crew = Crew(tmp_path)
    crew.env["ANTHROPIC_BASE_URL"] = f"http://127.0.0.1:{api.server_port}"
    crew.env["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
    crew.prepare()
    crew.manage("shell", "-c", MADE)
    return crew


MADE = f"""
from datetime import timedelta
from django.utils import timezone
from batches.models import Batch
from batches.mirror.workspaces import adopt_environment
now = timezone.now()
batch = Batch(workspace=adopt_environment(), api_id="{API_ID}", processing_status="ended",
    processing=0, succeeded={SUCCEEDED}, errored={ERRORED}, canceled=0, expired=0, raw={{}},
    created_at=now - timedelta(hours=2), expires_at=now + timedelta(hours=22), ended_at=now,
    first_seen_at=now, changed_at=now, revision=1, first_revision=1)
batch.derive()
batch.save()
"""


@pytest.fixture
def reader(crew) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.processes.reader", API_ID]
    with subprocess.Popen(
        command, cwd=ROOT, env=crew.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


def read_once(reader, api: Api, *, kill_at: int | None = None, kill_before: int = 0) -> int:
    """One reading in a process of its own: its exit code, -9 when it was killed.

    Killed once it was sent `kill_at` bytes, or before its step `kill_before` in the database.
    """
    api.kill_at = kill_at
    api.reader_is_known.clear()
    reader.stdin.write(f"{kill_before}\n")
    reader.stdin.flush()
    api.reader = int(reader.stdout.readline())
    api.reader_is_known.set()
    return int(reader.stdout.readline())


# As though the file had never been read, and no process were reading it.
FORGET = (
    "UPDATE batches_reading SET claimed_until = NULL",
    "UPDATE batches_batch SET results_state = 'pending'",
    "DELETE FROM batches_batchusage",
    "DELETE FROM batches_failedrequest",
)


def change(crew: Crew, *statements: str) -> None:
    for statement in statements:
        crew.change(statement)


def figures(crew: Crew) -> tuple:
    return (
        crew.rows("SELECT results_state FROM batches_batch"),
        crew.rows("SELECT requests, input_tokens, output_tokens FROM batches_batchusage"),
        crew.rows("SELECT outcome, error_type, count(*) FROM batches_failedrequest GROUP BY 1, 2"),
    )


NOTHING = ([("pending",)], [], [])
# 3,000 requests of 1,000 tokens in and 10 out.
EVERYTHING = (
    [("read",)],
    [(3_000, 3_000_000, 30_000)],
    [("errored", "api_error", 600)],
)


def test_a_reader_killed_at_fifty_places_of_the_file_leaves_nothing_and_the_next_reads_it_all(
    crew, api, reader
):
    # From its first byte to its last but one. Most of them are within a line.
    places = [number * (len(api.body) - 1) // (PLACES - 1) for number in range(PLACES)]

    for kill_at in places:
        assert read_once(reader, api, kill_at=kill_at) == -signal.SIGKILL
        assert figures(crew) == NOTHING
        # As half a minute later, when a killed reader's claim has lapsed.
        change(crew, "UPDATE batches_reading SET claimed_until = '2020-01-01 00:00:00'")

    assert read_once(reader, api) == 0
    assert figures(crew) == EVERYTHING


def test_a_reader_killed_before_any_of_its_statements_leaves_all_or_nothing(crew, api, reader):
    left = []

    for step in count(1):
        change(crew, *FORGET)
        code = read_once(reader, api, kill_before=step)
        left.append(figures(crew))
        if code == 0:
            break
        assert code == -signal.SIGKILL

    assert set(map(str, left)) == {str(NOTHING), str(EVERYTHING)}
    # It has replaced figures and inserted failed requests by then.
    assert left.count(NOTHING) > 10
    assert left[-1] == EVERYTHING
