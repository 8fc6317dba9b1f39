"""Failures around the processes: the database, signals, and workers that do not run."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import psutil
import pytest

from batches.sandbox import SandboxApi
from tests.processes.crew import Crew, csrf_in, wait_until

pytestmark = pytest.mark.processes


@pytest.fixture
def crew(tmp_path):
    crew = Crew(tmp_path)
    yield crew
    crew.stop_all()


@pytest.fixture
def running(crew) -> str:
    """The ID of a mirrored batch that would run for hours. All processes run."""
    sandbox = SandboxApi(state_path=crew.var / "sandbox.db")
    api_id = sandbox.add_batch(requests=20, duration=timedelta(hours=9))
    sandbox.close()
    crew.start_all()
    wait_until(
        lambda: crew.one("SELECT count(*) FROM batches_batch") == 1, seconds=30, what="a round"
    )
    return api_id


def synced_at(crew: Crew) -> object:
    return crew.one("SELECT last_synced_at FROM batches_workspace")


def press(crew: Crew, browser: httpx.Client, api_id: str) -> httpx.Response:
    token = csrf_in(browser.get(f"/batches/{api_id}/cancel/").text)
    return browser.post(
        f"/batches/{api_id}/cancel/",
        data={"csrfmiddlewaretoken": token, "reason": "drill"},
        headers={"HX-Request": "true"},
    )


def assert_works_again(crew: Crew) -> None:
    """All processes run, and another round ends."""
    before = synced_at(crew)
    wait_until(lambda: synced_at(crew) != before, seconds=60, what="a new round")
    assert all(process.is_running() for process in crew.processes.values())
    assert httpx.get(f"{crew.web_url}/readyz").status_code == 200


@pytest.mark.databases
def test_a_worker_ends_soon_after_sigterm_and_the_next_calls_the_api_at_once(crew, running):
    taken = crew.terminate("worker", within=20)
    before = synced_at(crew)

    crew.start("worker")

    wait_until(lambda: synced_at(crew) != before, seconds=15, what="a round of the next one")
    assert taken < 20
    assert crew.processes["worker"].is_running()
    assert "Traceback" not in crew.log("worker")


@pytest.mark.databases
def test_a_killed_worker_is_followed_by_one_that_calls_the_api_at_once(crew, running):
    crew.kill("worker")
    before = synced_at(crew)

    crew.start("worker")

    # Sooner than any claim expires.
    wait_until(lambda: synced_at(crew) != before, seconds=20, what="a round of the next one")


@pytest.mark.databases
def test_without_a_worker_the_page_says_so_and_is_not_fresh(crew, running):
    browser = crew.sign_in()
    assert 'data-health="fresh"' in browser.get("/").text

    crew.terminate("worker", within=20)

    page = browser.get("/").text
    assert 'data-health="fresh"' not in page
    assert "No worker is running" in page
    assert httpx.get(f"{crew.web_url}/readyz").status_code == 200
    browser.close()


@pytest.mark.databases
def test_a_cancel_without_worker_and_api_is_made_by_the_next_worker(crew, running):
    crew.terminate("worker", within=20)
    crew.kill("sandbox")
    browser = crew.sign_in()
    began = time.monotonic()

    card = press(crew, browser, running)

    assert time.monotonic() - began < 5
    assert card.status_code == 200
    assert "not confirmed yet" in card.text
    crew.start("sandbox")
    crew.start("worker")
    wait_until(
        lambda: crew.one("SELECT state FROM batches_cancellation") == "accepted",
        seconds=60,
        what="the cancellation accepted",
    )
    browser.close()


def test_a_database_locked_for_long_ends_no_process_and_the_page_says_not_saved(crew, running):
    browser = crew.sign_in()
    token = csrf_in(browser.get(f"/batches/{running}/cancel/").text)

    with crew.locked("batches_batch"):
        refused = browser.post(
            f"/batches/{running}/cancel/",
            data={"csrfmiddlewaretoken": token},
            headers={"HX-Request": "true"},
        )
        assert refused.status_code == 503
        assert "not saved" in refused.text
        # Each takes as long as SQLite waits for a lock: longer in all than a claim lasts.
        wait_until(
            lambda: crew.log("worker").count("database failed") >= 6,
            seconds=90,
            what="six failures of the worker",
        )
        assert httpx.get(f"{crew.web_url}/healthz").status_code == 200

    assert_works_again(crew)
    assert crew.one("SELECT count(*) FROM batches_cancellation") == 0
    assert "accepted" in press_until_saved(crew, browser, running)
    browser.close()


def press_until_saved(crew: Crew, browser: httpx.Client, api_id: str) -> str:
    press(crew, browser, api_id)
    wait_until(
        lambda: crew.one("SELECT state FROM batches_cancellation") == "accepted",
        seconds=30,
        what="the cancellation accepted",
    )
    return str(crew.one("SELECT state FROM batches_cancellation"))


@contextmanager
def no_room(crew: Crew) -> Iterator[None]:
    """Web and worker cannot write to any file, as on a full disk. Reading still works."""
    heads = [psutil.Process(crew.processes[name].pid) for name in ("web", "worker")]
    limited = [each for head in heads for each in (head, *head.children(recursive=True))]
    for process in limited:
        process.rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
    yield
    for process in limited:
        process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


def writes(crew: Crew) -> int:
    """How often the worker has tried to write, successfully or not."""
    return psutil.Process(crew.processes["worker"].pid).io_counters().write_count


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_FSIZE"), reason="only Linux can limit a process so")
def test_a_full_disk_ends_no_process_and_the_page_says_not_saved(crew, running):
    browser = crew.sign_in()
    token = csrf_in(browser.get(f"/batches/{running}/cancel/").text)

    with no_room(crew):
        refused = browser.post(
            f"/batches/{running}/cancel/",
            data={"csrfmiddlewaretoken": token},
            headers={"HX-Request": "true"},
        )
        stopped_at = synced_at(crew)
        attempted = writes(crew)
        wait_until(lambda: writes(crew) > attempted + 20, seconds=30, what="attempts to write")
        page = browser.get("/")
        still_at = synced_at(crew)

    assert refused.status_code == 503
    assert "not saved" in refused.text
    assert page.status_code == 200
    assert still_at == stopped_at
    assert_works_again(crew)
    assert crew.one("SELECT count(*) FROM batches_cancellation") == 0
    assert "accepted" in press_until_saved(crew, browser, running)
    browser.close()


def test_a_kill_of_the_web_process_leaves_the_port_free_for_the_next(crew, running):
    master = crew.processes["web"].pid
    os.kill(master, signal.SIGKILL)
    crew.processes["web"].wait()

    crew.start("web")

    wait_until(lambda: crew.answers(f"{crew.web_url}/healthz"), seconds=30, what="the next one")
