"""All processes wait for a PostgreSQL server that is killed, restarted or down for a while."""

import operator
import os
import signal
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from batches.sandbox import SandboxApi
from tests import postgres
from tests.processes.crew import Crew, csrf_in, wait_until

# Committed rows survive the kill of the server.
DURABLE = "-c synchronous_commit=on"
pytestmark = pytest.mark.processes


class Server:
    """A PostgreSQL server for this test alone."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder

    def kill(self) -> None:
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        server = psutil.Process(pid)
        family = [server, *server.children(recursive=True)]
        os.kill(pid, signal.SIGKILL)
        # PostgreSQL refuses to start while processes of the killed server still run.
        psutil.wait_procs(family, timeout=30)

    def stop(self, mode: str) -> None:
        postgres.stop(self.programs, self.folder, mode)

    def start(self) -> None:
        postgres.start(self.programs, self.folder, options=DURABLE)


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    with tempfile.TemporaryDirectory(prefix="batchboard-pg-") as name:
        folder = Path(name)
        programs = postgres.find_programs(folder)
        if programs is None:
            pytest.skip(postgres.NOTHING_FOUND)
        with postgres.server(programs, folder, options=DURABLE) as url:
            yield Server(programs, folder), url


@pytest.fixture
def crew(server, tmp_path) -> Iterator[Crew]:
    crew = Crew(tmp_path, workers=2, server_url=server[1])
    yield crew
    crew.stop_all()


def test_the_processes_survive_a_server_that_is_killed_stopped_and_restarted(server, crew):
    sandbox = SandboxApi(state_path=crew.var / "sandbox.db")
    ids = [sandbox.add_batch(duration=timedelta(hours=9)) for _ in range(3)]
    sandbox.close()
    crew.start_all()
    wait_until(
        lambda: crew.one("SELECT count(*) FROM batches_batch") == 3, seconds=30, what="a round"
    )
    browser = crew.sign_in()
    outages = [
        server[0].kill,
        lambda: server[0].stop("immediate"),
        lambda: server[0].stop("fast"),
    ]

    for api_id, fail in zip(ids, outages, strict=True):
        token = csrf_in(browser.get(f"/batches/{api_id}/cancel/").text)
        failures = logged_failures(crew)
        fail()
        pressed = browser.post(
            f"/batches/{api_id}/cancel/",
            data={"csrfmiddlewaretoken": token},
            headers={"HX-Request": "true"},
        )
        assert pressed.status_code == 503
        assert "not saved" in pressed.text
        assert httpx.get(f"{crew.web_url}/readyz").status_code == 503
        assert httpx.get(f"{crew.web_url}/healthz").status_code == 200
        wait_for_failures(crew, failures)
        server[0].start()
        press_until_accepted(crew, browser, api_id, token)

    assert all(process.is_running() for process in crew.processes.values())
    assert crew.one("SELECT count(*) FROM batches_cancellation WHERE state = 'accepted'") == 3
    browser.close()


def logged_failures(crew: Crew) -> list[int]:
    """How often each worker has logged that the database failed."""
    return [crew.log(name).count("database failed") for name in ("worker", "worker-2")]


def wait_for_failures(crew: Crew, before: list[int]) -> None:
    wait_until(
        lambda: all(map(operator.gt, logged_failures(crew), before)),
        seconds=30,
        what="a failure of each worker",
    )


def press_until_accepted(crew: Crew, browser: httpx.Client, api_id: str, token: str) -> None:
    def is_pressed() -> bool:
        answer = browser.post(
            f"/batches/{api_id}/cancel/",
            data={"csrfmiddlewaretoken": token},
            headers={"HX-Request": "true"},
        )
        return answer.status_code == 200

    wait_until(is_pressed, seconds=30, what="a saved cancellation")
    wait_until(
        lambda: (
            crew.one("SELECT state FROM batches_cancellation WHERE batch_api_id = %s", api_id)
            == "accepted"
        ),
        seconds=30,
        what="the cancellation accepted",
    )
