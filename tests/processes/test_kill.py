"""Processes killed at each step of a cancel, over an API that loses answers.

Nothing is lost, and nothing happens twice.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import product
from urllib.parse import urlencode

import httpx
import pytest

from batches.sandbox import SandboxApi, SandboxServer
from tests.processes.crew import Crew, csrf_in, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.databases]
# When the process that makes a call is killed. After the last one it has its answer, and the
# database is locked, so that it can't have saved it.
CALL_ARRIVED, CALL_TOOK_EFFECT, ANSWER_SENT = MOMENTS = ("arrived", "took effect", "answer sent")
# The web process has the whole press, and the database is locked, so that it can't have saved it.
PRESS_ARRIVED = "press"
NEVER = ""
LONG_AGO = "2020-01-01 00:00:00+00:00"
# For each batch: when the web process is killed that is asked to cancel it, and when the worker
# that goes on.
PLANS = list(product([NEVER, PRESS_ARRIVED, *MOMENTS], [NEVER, *MOMENTS])) * 2
ROUNDS = {4: CALL_ARRIVED, 14: ANSWER_SENT, 24: CALL_ARRIVED, 34: ANSWER_SENT}


class DeadlyApi:
    """The sandbox. Kills who calls it, as planned, and starts the process again.

    `plans` holds moments by what is called, a batch's ID or "round", and who calls.
    """

    def __init__(self, api: SandboxApi, crew: Crew) -> None:
        self.api, self.crew = api, crew
        self.plans: dict[tuple[str, str], str] = {}
        self.killed: Counter[tuple[str, str]] = Counter()
        self._planning = threading.RLock()

    def __call__(self, environ, start_response: Callable) -> Iterable[bytes]:
        *_, name, last = environ["PATH_INFO"].split("/")
        if last == "cancel":
            table, call = "batches_cancellation", name
            claims = "SELECT claim FROM batches_cancellation WHERE batch_api_id = %s"
            process = self.process_of(self.crew.one(claims, call))
        elif last == "batches":
            table, call = "batches_workspace", "round"
            process = self.process_of(self.crew.one("SELECT claim FROM batches_workspace"))
        else:
            return self.api(environ, start_response)
        key = call, process.partition("-")[0]
        with self._planning:
            moment = self.plans.pop(key, NEVER)
        if moment == CALL_ARRIVED:
            self.kill(process, moment)
            raise ConnectionResetError
        began = []
        body = b"".join(self.api(environ, lambda *answer: began.append(answer)))
        if not began[0][0].startswith("200"):
            # A fault of the sandbox. The next call is the one to break off.
            self.plans[key] = moment
        elif moment == CALL_TOOK_EFFECT:
            self.kill(process, moment)
            raise ConnectionResetError
        elif moment == ANSWER_SENT:
            return self.killing(process, table, lambda: start_response(*began[0]), body)
        start_response(*began[0])
        return [body]

    def killing(
        self, process: str, table: str, begin: Callable[[], object], body: bytes
    ) -> Iterator[bytes]:
        with self.crew.locked(table):
            begin()
            yield body
            self.kill(process, ANSWER_SENT)

    def process_of(self, claim: object) -> str:
        """The process that made the claim; empty if it no longer runs."""
        owner = str(claim).partition(".")[0]
        if owner == "web":
            return owner
        pid = self.crew.one("SELECT pid FROM batches_workerprocess WHERE name = %s", owner)
        running = self.crew.processes.items()
        return next((name for name, process in running if process.pid == pid), "")

    def kill(self, process: str, moment: str) -> None:
        with self._planning:
            self.crew.kill(process)
            self.crew.start(process)
            self.killed[process.partition("-")[0], moment] += 1


@pytest.fixture
def crew(tmp_path) -> Iterator[Crew]:
    crew = Crew(tmp_path, workers=2)
    del crew.commands["sandbox"]
    yield crew
    crew.stop_all()


@pytest.fixture
def api(crew) -> Iterator[DeadlyApi]:
    server = SandboxServer()
    # A sixth of the calls fail, and of some the answer alone is lost.
    faults = "lost=0.08,500=0.05,reset=0.03"
    sandbox = SandboxApi(base_url=server.base_url, faults=faults)
    api = DeadlyApi(sandbox, crew)
    crew.env["ANTHROPIC_BASE_URL"] = server.base_url
    server.start(api)
    yield api
    server.stop()
    sandbox.close()


@pytest.fixture
def ids(api) -> list[str]:
    """Batches that would run for hours."""
    return [api.api.add_batch(requests=20, duration=timedelta(hours=9)) for _ in PLANS]


class Person:
    """Presses Cancel in a browser, and once more where the page says that it failed."""

    def __init__(self, crew: Crew, a_batch: str) -> None:
        self.crew = crew
        self.browser = crew.sign_in()
        self.token = csrf_in(self.browser.get(f"/batches/{a_batch}/cancel/").text)

    def press(self, api_id: str, after_sending: Callable[[], object] | None = None) -> bool:
        """Whether there was an answer."""
        form = urlencode({"csrfmiddlewaretoken": self.token, "reason": "drill"}).encode()

        def sent() -> Iterator[bytes]:
            yield form
            if after_sending:
                after_sending()

        try:
            answer = self.browser.post(
                f"/batches/{api_id}/cancel/",
                content=sent(),
                headers={
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Content-Length": str(len(form)),
                    "HX-Request": "true",
                },
            )
        except httpx.TransportError:
            return False
        assert answer.status_code == 200, answer.text
        return True

    def press_until_answered(self, api_id: str) -> None:
        wait_until(lambda: self.press(api_id), seconds=60, what=f"an answer about {api_id}")


def lapse(crew: Crew, api_id: str) -> None:
    """What half a minute does: a killed web process no longer claims the cancellation."""
    crew.change(
        "UPDATE batches_cancellation SET claimed_until = %s"
        " WHERE batch_api_id = %s AND state = 'requested' AND claim LIKE %s",
        LONG_AGO,
        api_id,
        "web.%",
    )


def assert_a_new_round(crew: Crew) -> None:
    synced_at = "SELECT last_synced_at FROM batches_workspace"
    before = crew.one(synced_at)
    wait_until(lambda: crew.one(synced_at) != before, seconds=30, what="a new round")


def test_cancels_survive_kills_at_every_step_each_accepted_exactly_once(crew, api, ids):
    crew.start_all()
    wait_until(
        lambda: crew.one("SELECT count(*) FROM batches_batch") == len(ids),
        seconds=30,
        what="the first round",
    )
    person = Person(crew, ids[0])

    for number, (api_id, (in_web, in_worker)) in enumerate(zip(ids, PLANS, strict=True)):
        api.plans |= {(api_id, "web"): in_web, (api_id, "worker"): in_worker}
        if number in ROUNDS:
            api.plans["round", "worker"] = ROUNDS[number]
        if in_web == PRESS_ARRIVED:
            with crew.locked("batches_cancellation"):
                assert not person.press(api_id, lambda: api.kill("web", PRESS_ARRIVED))
        person.press_until_answered(api_id)
        lapse(crew, api_id)

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
    for name in crew.commands:
        crew.kill(name)
        crew.start(name)
    assert_a_new_round(crew)
    states = crew.rows("SELECT state, count(*) FROM batches_cancellation GROUP BY state")
    assert states == [("accepted", len(ids))]
    for action in ("cancel requested", "cancel accepted"):
        events = crew.rows(
            "SELECT batch_api_id, count(*) FROM batches_auditevent"
            " WHERE action = %s GROUP BY batch_api_id",
            action,
        )
        assert Counter(dict(events)) == Counter(dict.fromkeys(ids, 1))
    assert api.api.world.store.accepted_cancels() == dict.fromkeys(ids, 1)
    planned = {("web", PRESS_ARRIVED), *product(["web", "worker"], MOMENTS)}
    assert planned <= api.killed.keys()
    assert api.killed.total() >= 30
    person.browser.close()
