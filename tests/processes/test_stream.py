"""Results files through a real gunicorn: whole, truncated, abandoned, slow and big."""

import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from batches.sandbox import SandboxApi, SandboxServer
from tests.processes.crew import Crew, wait_until

pytestmark = pytest.mark.processes
SMALL, MEDIUM, BIG = 40, 3_000, 100_000
MB = 1024 * 1024


class Watched:
    """The sandbox as an app that counts the results files it is sending now."""

    def __init__(self, api: SandboxApi, pause: Callable[[float], object]) -> None:
        self.api = api
        self.pause = pause
        self.sending = 0
        # How many of the next blocks are delayed by half a second each.
        self.late = 0

    def __call__(self, environ, start_response) -> Iterator[bytes]:
        blocks = self.api(environ, start_response)
        return self.watched(blocks) if environ["PATH_INFO"].endswith("/results") else blocks

    def watched(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        self.sending += 1
        try:
            for block in blocks:
                if self.late:
                    self.late -= 1
                    self.pause(0.5)
                yield block
        finally:
            self.sending -= 1


@pytest.fixture(scope="module")
def api() -> Iterator[Watched]:
    server = SandboxServer()
    sandbox = SandboxApi(base_url=server.base_url)
    sandbox.add_batch("small", status="ended", requests=SMALL, errored=9, canceled=1)
    sandbox.add_batch("medium", status="ended", requests=MEDIUM)
    sandbox.add_batch("big", status="ended", requests=BIG)
    watched = Watched(sandbox, server.pause)
    server.start(watched)
    yield watched
    server.stop()
    sandbox.close()


@pytest.fixture(scope="module")
def crew(tmp_path_factory, api) -> Iterator[Crew]:
    """The web process on a mirror of the three batches."""
    crew = Crew(tmp_path_factory.mktemp("stream"))
    crew.env["ANTHROPIC_BASE_URL"] = api.api.base_url
    # Half as long as a slow file takes below.
    crew.commands["web"][-1:-1] = ["--timeout", "2"]
    crew.prepare()
    crew.manage("worker", "--once", "--only", "sync")
    crew.start("web")
    wait_until(lambda: crew.answers(f"{crew.web_url}/healthz"), seconds=30, what="web")
    yield crew
    crew.stop_all()


@pytest.fixture
def reader(crew) -> Iterator[httpx.Client]:
    reader = crew.sign_in()
    yield reader
    reader.close()


def from_the_api(api: Watched, batch_id: str) -> httpx.Response:
    url = f"{api.api.base_url}/v1/messages/batches/{batch_id}/results"
    return httpx.get(url, headers={"x-api-key": api.api.key}, timeout=120)


def workers(crew: Crew) -> list[psutil.Process]:
    return psutil.Process(crew.processes["web"].pid).children()


def resident(crew: Crew) -> list[float]:
    """The resident memory of each worker in MB."""
    return [worker.memory_info().rss / MB for worker in workers(crew)]


def test_a_whole_file_comes_through_byte_for_byte(crew, reader, api):
    answer = reader.get("/batches/small/results/")

    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.content == from_the_api(api, "small").content
    assert answer.content.count(b"\n") == SMALL


@pytest.mark.parametrize("query", ["", "?outcome=succeeded", "?format=csv", "?format=ids"])
@pytest.mark.parametrize("fault", ["cut", "short", "half-line"])
def test_an_incomplete_file_is_a_failed_download(crew, reader, api, fault, query):
    api.api.fail_next(fault, path="/results")

    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        reader.get(f"/batches/small/results/{query}")

    assert "results download broke off" in (crew.var / "web.log").read_text()
    assert reader.get(f"/batches/small/results/{query}").status_code == 200


def test_a_reader_who_disconnects_ends_the_call_to_the_api_at_once(crew, reader, api):
    with reader.stream("GET", "/batches/big/results/") as answer:
        # Kept, because httpx disconnects when its iterator is deleted.
        pieces = answer.iter_bytes(1024)
        next(pieces)
        assert api.sending == 1

    wait_until(lambda: api.sending == 0, seconds=5, what="the upstream connection closed")
    assert reader.get("/batches/small/results/").status_code == 200


@pytest.mark.parametrize(
    ("query", "at_least"), [("", 50 * MB), ("?outcome=succeeded", 50 * MB), ("?format=csv", 5 * MB)]
)
def test_a_big_file_takes_no_memory_and_leaves_pages_quick(crew, reader, api, query, at_least):
    reader.get("/batches/small/results/")
    before = resident(crew)
    highest = before
    size = 0

    with reader.stream("GET", f"/batches/big/results/{query}") as answer:
        for piece in answer.iter_bytes(MB):
            size += len(piece)
            highest = [max(each) for each in zip(highest, resident(crew), strict=True)]
            assert reader.get("/healthz").elapsed.total_seconds() < 2

    assert size > at_least
    assert max(h - b for h, b in zip(highest, before, strict=True)) < 20


def test_a_download_that_outlasts_the_servers_timeout_completes(crew, reader, api):
    before = {worker.pid for worker in workers(crew)}
    api.late = 8
    began = time.monotonic()

    answer = reader.get("/batches/medium/results/")

    assert time.monotonic() - began > 4
    assert answer.content == from_the_api(api, "medium").content
    assert {worker.pid for worker in workers(crew)} == before
