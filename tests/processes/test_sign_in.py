"""Guessing passwords at a real gunicorn with two worker processes, as an attacker would."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import pytest

from dashboard.sign_in.limits import MOST_PER_ADDRESS
from tests.processes.crew import PASSWORD, Crew, csrf_in, wait_until

pytestmark = pytest.mark.processes
ATTACKERS = 16
PRESSES = 4


def started(crew: Crew) -> Crew:
    crew.start("web")
    wait_until(lambda: crew.answers(f"{crew.web_url}/healthz"), seconds=30, what="web")
    return crew


@pytest.fixture
def crew(tmp_path) -> Iterator[Crew]:
    crew = Crew(tmp_path)
    crew.prepare()
    yield started(crew)
    crew.stop_all()


@pytest.fixture
def unprepared(tmp_path) -> Iterator[Crew]:
    """Neither migrate nor collectstatic has run."""
    crew = started(Crew(tmp_path))
    yield crew
    crew.stop_all()


@pytest.fixture
def attempt(crew) -> Callable[[str, str], httpx.Response]:
    """A function that tries a name and a password in a new browser."""
    login = f"{crew.web_url}/accounts/login/"
    page = httpx.get(login)
    token, cookies = csrf_in(page.text), dict(page.cookies)

    def attempt(name: str, password: str) -> httpx.Response:
        form = {"username": name, "password": password, "csrfmiddlewaretoken": token}
        return httpx.post(login, data=form, cookies=cookies, timeout=30)

    return attempt


def test_pages_stay_quick_while_many_sign_in_at_once(crew, attempt):
    statuses: Counter[int] = Counter()

    def attack() -> None:
        for _ in range(PRESSES):
            # The right password takes as long as a wrong one, and locks no one out.
            statuses[attempt("ada", PASSWORD).status_code] += 1

    threads = [threading.Thread(target=attack) for _ in range(ATTACKERS)]
    with closing(crew.sign_in()) as viewer:
        session = dict(viewer.cookies)
        for thread in threads:
            thread.start()
        waits = []
        while any(thread.is_alive() for thread in threads) and len(waits) < 2000:
            began = time.monotonic()
            assert httpx.get(crew.web_url, cookies=session, timeout=30).status_code == 200
            waits.append(time.monotonic() - began)
    for thread in threads:
        thread.join(timeout=120)

    assert statuses.total() == ATTACKERS * PRESSES
    assert set(statuses) == {302, 503}
    assert len(waits) >= 20
    assert statistics.quantiles(waits, n=20)[-1] < 1


def test_guesses_at_many_names_are_counted_across_processes(crew, attempt):
    statuses = [attempt(f"name{n}", "guess").status_code for n in range(MOST_PER_ADDRESS + 3)]
    right = attempt("ada", PASSWORD)

    assert statuses == [200] * MOST_PER_ADDRESS + [429] * 3
    assert right.status_code == 429
    assert 0 < int(right.headers["Retry-After"]) <= 900
    failed = "SELECT count(*) FROM batches_auditevent WHERE action = %s"
    assert crew.one(failed, "sign-in failed") == MOST_PER_ADDRESS
    assert crew.one(failed, "sign-in locked") == 1


def test_a_copy_that_was_never_prepared_answers_with_the_error_page(unprepared):
    page = httpx.get(f"{unprepared.web_url}/accounts/login/")

    assert page.status_code == 500
    assert "<h1>Something went wrong in Batchboard</h1>" in page.text
    assert "Traceback (most recent call last):" in unprepared.log("web")
    assert "no such table" in unprepared.log("web") or "does not exist" in unprepared.log("web")
