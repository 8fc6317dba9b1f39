"""A reader of results killed at any byte leaves nothing, and the next one comes to the same."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.processes.crew import ROOT, Crew

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]
API_ID = "msgbatch_1"
KILLS = 50
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
    """An API with one ended batch. May kill the process that reads its results half-way."""

    daemon_threads = True
    body = results_file()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.kill_at: int | None = None
        self.kill_after = 0.0
        self.sent_at = 0.0
        self.reader = 0
        self.reader_is_known = threading.Event()

    def kill(self) -> None:
        self.reader_is_known.wait(10)
        reader = self.reader
        threading.Event().wait(self.kill_after)
        # It may have come to its end first.
        with suppress(ProcessLookupError):
            os.kill(reader, signal.SIGKILL)


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
            self.server.sent_at = time.monotonic()
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


def read_once(reader, api: Api, *, kill_at: int | None) -> int:
    """One reading in a process of its own: its exit code, -9 when it was killed."""
    api.kill_at = kill_at
    api.reader_is_known.clear()
    reader.stdin.write("read\n")
    reader.stdin.flush()
    api.reader = int(reader.stdout.readline())
    api.reader_is_known.set()
    return int(reader.stdout.readline())


def asked(crew: Crew, sql: str) -> list[tuple]:
    with sqlite3.connect(crew.var / "batchboard.db", timeout=20) as connection:
        found = connection.execute(sql).fetchall()
    connection.close()
    return found


def figures(crew: Crew) -> tuple:
    return (
        asked(crew, "SELECT results_state FROM batches_batch"),
        asked(crew, "SELECT requests, input_tokens, output_tokens FROM batches_batchusage"),
        asked(
            crew, "SELECT outcome, error_type, count(*) FROM batches_failedrequest GROUP BY 1, 2"
        ),
    )


NOTHING = ([("pending",)], [], [])
# 3,000 requests of 1,000 tokens in and 10 out.
EVERYTHING = (
    [("read",)],
    [(3_000, 3_000_000, 30_000)],
    [("errored", "api_error", 600)],
)


def test_a_reader_killed_at_fifty_random_bytes_leaves_nothing_and_the_next_reads_it_all(
    crew, api, reader
):
    chance = random.Random(11)

    for _ in range(KILLS):
        kill_at = chance.randrange(len(api.body))
        assert read_once(reader, api, kill_at=kill_at) == -signal.SIGKILL
        assert figures(crew) == NOTHING
        # What time does, too: nobody says any more that this reader lives.
        asked(crew, "UPDATE batches_reading SET claimed_until = '2020-01-01 00:00:00'")

    assert read_once(reader, api, kill_at=None) == 0
    assert figures(crew) == EVERYTHING


def test_a_reader_killed_while_it_writes_leaves_all_or_nothing(crew, api, reader):
    chance = random.Random(12)
    assert read_once(reader, api, kill_at=None) == 0
    # From the file's last byte to the reader's end: it writes somewhere in between.
    writing_seconds = time.monotonic() - api.sent_at
    killed = 0

    for _ in range(KILLS):
        forget_figures(crew)
        api.kill_after = chance.uniform(0, writing_seconds)
        killed += read_once(reader, api, kill_at=len(api.body)) == -signal.SIGKILL
        assert figures(crew) in (NOTHING, EVERYTHING)

    assert killed
    forget_figures(crew)
    assert read_once(reader, api, kill_at=None) == 0
    assert figures(crew) == EVERYTHING


def forget_figures(crew: Crew) -> None:
    """As though the file had never been read, and nobody were reading it."""
    asked(crew, "UPDATE batches_reading SET claimed_until = NULL")
    asked(crew, "UPDATE batches_batch SET results_state = 'pending'")
    asked(crew, "DELETE FROM batches_batchusage")
    asked(crew, "DELETE FROM batches_failedrequest")
