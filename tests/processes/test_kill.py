"""Everything killed at random, over an API that loses answers: nothing is lost or invented."""

import random
import threading
from collections import Counter
from datetime import timedelta

import httpx
import pytest

from batches.sandbox import SandboxApi
from tests.processes.crew import Crew, csrf_in, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.databases, pytest.mark.timeout(400)]
BATCHES = 80
KILLS = 60


@pytest.fixture
def crew(tmp_path):
    # A sixth of the calls fail, and of some the answer alone is lost.
    crew = Crew(tmp_path, faults="lost=0.08,500=0.05,reset=0.03", webs=2, workers=2)
    yield crew
    crew.stop_all()


@pytest.fixture
def ids(crew):
    """Batches that would run for hours."""
    sandbox = SandboxApi(state_path=crew.var / "sandbox.db")
    ids = [sandbox.add_batch(requests=20, duration=timedelta(hours=9)) for _ in range(BATCHES)]
    sandbox.close()
    return ids


def keep_killing(crew: Crew, over: threading.Event, killed: list[str]) -> None:
    """One of them at random, now and then, and up again."""
    chance, pause = random.Random(7), threading.Event()
    while not over.is_set() or len(killed) < KILLS:
        pause.wait(chance.uniform(0.2, 0.8))
        name = chance.choice(["web", "worker", "worker-2"])
        if name == "web" and not crew.answers(f"{crew.web_url}/healthz"):
            # It is still starting: one that never gets to answer would prove nothing.
            continue
        crew.kill(name)
        crew.start(name)
        killed.append(name)


def press_until_answered(crew: Crew, browser: httpx.Client, api_id: str, token: str) -> None:
    """As a person does whose page said that the press failed: once more."""

    def answered() -> bool:
        try:
            answer = browser.post(
                f"/batches/{api_id}/cancel/",
                data={"csrfmiddlewaretoken": token, "reason": "drill"},
                headers={"HX-Request": "true"},
            )
        except httpx.TransportError:
            return False
        assert answer.status_code == 200, answer.text
        return True

    wait_until(answered, seconds=60, what=f"an answer about {api_id}")


def test_eighty_cancels_survive_sixty_kills_each_accepted_exactly_once(crew, ids):
    crew.start_all()
    wait_until(
        lambda: crew.one("SELECT count(*) FROM batches_batch") == BATCHES,
        seconds=30,
        what="the first round",
    )
    browser = crew.sign_in()
    token = csrf_in(browser.get(f"/batches/{ids[0]}/cancel/").text)
    over = threading.Event()
    killed: list[str] = []
    killer = threading.Thread(target=keep_killing, args=[crew, over, killed])
    killer.start()

    try:
        for api_id in ids:
            press_until_answered(crew, browser, api_id, token)
    finally:
        over.set()
        killer.join()

    wait_until(
        lambda: not crew.rows("SELECT 1 FROM batches_cancellation WHERE state = 'requested'"),
        seconds=120,
        what="every cancellation confirmed",
    )
    wait_until(
        lambda: (
            not crew.rows("SELECT 1 FROM batches_batch WHERE processing_status = 'in_progress'")
        ),
        seconds=30,
        what="every batch canceling or ended",
    )
    states = crew.rows("SELECT state, count(*) FROM batches_cancellation GROUP BY state")
    assert states == [("accepted", BATCHES)]
    for action in ("cancel requested", "cancel accepted"):
        events = crew.rows(
            "SELECT batch_api_id, count(*) FROM batches_auditevent"
            " WHERE action = %s GROUP BY batch_api_id",
            action,
        )
        assert Counter(dict(events)) == Counter(dict.fromkeys(ids, 1))
    upstream = httpx.get(f"{crew.sandbox_url}/sandbox/accepted-cancels").json()
    assert upstream == dict.fromkeys(ids, 1)
    assert len(killed) >= KILLS
    browser.close()
