"""What needs a real socket: keep-alive, streams, resets, and the command."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from batches.sandbox import SandboxApi, SandboxServer
from tests.sandbox.conftest import BATCHES, create, error, results

ROOT = Path(__file__).parents[2]
KEY = {"x-api-key": "sandbox-research"}


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    server = SandboxServer()
    yield server
    server.stop()


@pytest.fixture
def served(server, make_api) -> SandboxApi:
    api = make_api(base_url=server.base_url, pause=server.pause)
    server.start(api)
    return api


@pytest.fixture
def http(served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.base_url, headers=KEY, timeout=10) as client:
        yield client


def test_a_connection_is_kept_for_the_next_request(served, http):
    answers = [http.get(BATCHES) for _ in range(3)]

    streams = [answer.extensions["network_stream"] for answer in answers]
    assert len({stream.get_extra_info("client_addr") for stream in streams}) == 1


def test_results_arrive_complete_in_chunks(served, http):
    batch_id = served.add_batch(status="ended", requests=3000)

    response = http.get(f"{BATCHES}/{batch_id}/results")

    assert response.headers["transfer-encoding"] == "chunked"
    assert response.content.count(b"\n") == 3000
    assert http.get(f"{BATCHES}/{batch_id}").json()["results_url"] == str(response.url)


def test_reset_resets_the_connection(served, http):
    served.fail_next("reset")

    with pytest.raises(httpx.ReadError, match="reset"):
        http.get(BATCHES)
    assert http.get(BATCHES).status_code == 200


def test_a_cancel_whose_response_is_lost_takes_effect(served, http):
    batch_id = served.add_batch()
    served.fail_next("lost")

    with pytest.raises(httpx.ReadError):
        http.post(f"{BATCHES}/{batch_id}/cancel")
    assert http.get(f"{BATCHES}/{batch_id}").json()["processing_status"] == "canceling"


@pytest.mark.parametrize("path", ["", "/results"])
def test_cut_breaks_off_the_body(served, http, path):
    batch_id = served.add_batch(status="ended", requests=500)
    served.fail_next("cut")

    with pytest.raises(httpx.RemoteProtocolError):
        http.get(f"{BATCHES}/{batch_id}{path}")


def test_a_timeout_keeps_the_client_waiting_until_the_server_stops(served, server, http):
    served.fail_next("timeout")

    with pytest.raises(httpx.ReadTimeout):
        http.get(BATCHES, timeout=0.3)
    server.stop()
    with pytest.raises(httpx.ConnectError):
        http.get(BATCHES)


def test_the_app_refuses_unknown_methods(http):
    assert error(http.request("PURGE", BATCHES))[0] == 405
    assert http.request("HEAD", BATCHES).status_code == 405


def test_an_unread_body_does_not_break_the_next_request(http):
    refused = http.post(BATCHES, content=b"x" * 5000, headers={"x-api-key": "wrong"})

    assert refused.status_code == 401
    assert http.get(BATCHES).status_code == 200


def test_a_body_sent_in_chunks_is_refused(http):
    response = http.post(BATCHES, content=iter([b"{", b"}"]))

    assert response.status_code == 411


@pytest.mark.parametrize(
    "bytes_sent",
    [b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"a" * 70_000],
)
def test_what_is_not_http_does_not_affect_others(served, http, bytes_sent):
    host, port = served.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(bytes_sent)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    assert http.get(BATCHES).status_code == 200


def test_an_id_of_invalid_bytes_is_not_found(http):
    response = http.get(f"{BATCHES}/%00%ff%E2%80%A8..%2e")

    assert error(response)[:2] == (404, "not_found_error")


def command(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    return subprocess.Popen(
        [sys.executable, "manage.py", "sandbox", "--port", "0", *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """A function that starts `manage.py sandbox` and returns its process and address."""
    processes = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
        process = command(*arguments)
        processes.append(process)
        greeting = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", greeting)
        assert address, greeting + process.stderr.read()
        return process, address[0]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.processes
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_the_demo_and_stops_cleanly(started, signum):
    process, address = started("--batches", "42", "--seed", "3")

    listed = httpx.get(f"{address}{BATCHES}", headers=KEY, params={"limit": 100}).json()
    process.send_signal(signum)
    _, errors = process.communicate(timeout=20)

    assert len(listed["data"]) > 20
    assert (process.returncode, errors) == (0, "")


@pytest.mark.processes
def test_kill_9_loses_nothing_that_was_acknowledged(started, tmp_path):
    state = str(tmp_path / "deep" / "sandbox.sqlite3")
    process, address = started("--state", state)
    with httpx.Client(base_url=address, headers=KEY) as http:
        kept = create(http, "one", "two")["id"]
        canceled = create(http, "three")["id"]
        http.post(f"{BATCHES}/{canceled}/cancel")
    process.kill()
    process.wait()

    _, address = started("--state", state, "--speed", "100000")
    with httpx.Client(base_url=address, headers=KEY) as http:
        ids = {batch["id"] for batch in http.get(BATCHES).json()["data"]}
        accepted = http.get("/sandbox/accepted-cancels").json()
        # At this speed a day takes less than a second.
        while http.get(f"{BATCHES}/{kept}").json()["processing_status"] != "ended":
            pass
        lines = results(http, kept)

    assert ids == {kept, canceled}
    assert accepted == {canceled: 1}
    assert {line["custom_id"] for line in lines} == {"one", "two"}


@pytest.mark.processes
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--faults", "teapot=1"], "No fault is called 'teapot'"),
        (["--speed", "0"], "The speed must be above 0"),
        (["--state", "manage.py"], "Cannot keep the state in manage.py"),
        (["--port", "{taken}"], "Cannot listen on 127.0.0.1:"),
        (["--port", "70000"], "Cannot listen on 127.0.0.1:70000"),
        (["--moving-counts", "no-such-key"], "no-such-key"),
    ],
)
def test_a_command_that_fails_says_why_in_one_line(arguments, problem, server):
    taken = str(server.server_address[1])

    process = command(*(each.replace("{taken}", taken) for each in arguments))
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 1
    assert problem in errors
    assert errors.count("\n") == 1


@pytest.mark.processes
def test_a_hundred_thousand_requests_are_created_in_bounded_memory(started):
    process, address = started()
    requests = [{"custom_id": f"r{at}", "params": {}} for at in range(100_000)]
    with httpx.Client(base_url=address, headers=KEY, timeout=60) as http:
        batch_id = http.post(BATCHES, json={"requests": requests}).json()["id"]
        http.post(f"{BATCHES}/{batch_id}/cancel")
        counts = http.get(f"{BATCHES}/{batch_id}").json()["request_counts"]
    used = psutil.Process(process.pid).memory_info().rss

    assert counts["processing"] == 100_000
    assert used < 300 * 1024 * 1024
