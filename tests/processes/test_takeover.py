"""When a worker is killed while it reads, another one reads the same file within a minute."""

import pytest

from batches.sandbox import SandboxApi
from tests.processes.crew import Crew, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.databases]


@pytest.fixture
def crew(tmp_path):
    crew = Crew(tmp_path)
    crew.prepare()
    yield crew
    crew.stop_all()


@pytest.fixture
def reported(crew) -> dict[str, dict[str, int]]:
    """Usage of two ended batches by ID, as the sandbox reports it. One takes long to read."""
    sandbox = SandboxApi(state_path=crew.var / "sandbox.db")
    ids = [
        sandbox.add_batch(status="ended", requests=100_000, errored=2_000),
        sandbox.add_batch(status="ended", requests=300, canceled=100),
    ]
    sums = {}
    for api_id in ids:
        rows = list(sandbox.usage(api_id).values())
        sums[api_id] = {
            name: sum(row[name] for row in rows) for name in ("requests", "output_tokens")
        }
    sandbox.close()
    return sums


def claim(crew: Crew, api_id: str) -> str:
    """The claim under which the batch's results are read now; empty without one."""
    found = crew.rows(
        "SELECT claim FROM batches_reading JOIN batches_batch ON id = batch_id WHERE api_id = %s",
        api_id,
    )
    return found[0][0] if found else ""


def test_a_killed_worker_s_file_is_read_by_the_next_within_a_minute(crew, reported):
    large = next(iter(reported))
    for name in ("sandbox", "worker"):
        crew.start(name)
    wait_until(lambda: claim(crew, large), seconds=60, what="a worker that reads")
    first = claim(crew, large)

    crew.kill("worker")
    crew.start("worker")

    assert crew.rows("SELECT 1 FROM batches_batchusage u JOIN batches_batch b ON b.id = batch_id"
                       " WHERE api_id = %s", large) == []  # fmt: skip
    wait_until(lambda: claim(crew, large) != first, seconds=60, what="another that takes over")
    wait_until(
        lambda: (
            crew.rows("SELECT count(*) FROM batches_batch WHERE results_state = 'read'")
            == [(len(reported),)]
        ),
        seconds=60,
        what="both read",
    )
    read = crew.rows(
        "SELECT api_id, sum(u.requests), sum(u.output_tokens) FROM batches_batchusage u"
        " JOIN batches_batch b ON b.id = u.batch_id GROUP BY api_id",
    )
    assert {api_id: {"requests": n, "output_tokens": out} for api_id, n, out in read} == reported
