"""Pages stay quick while clients send or read as slowly as they can, or never."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import httpx
import psycopg
import pytest

from dashboard.launch.lifeline import GRACE_SECONDS
from tests.processes.crew import Crew, wait_until
from tests.processes.slow_clients import SlowClients, allow_open_files, p95, seconds_of

pytestmark = pytest.mark.processes

# A page alone takes some 20 ms. With gunicorn's own thread worker, none arrives at all.
QUICK_SECONDS = 2
FAILED_REQUESTS = 20_000
SEED = f"""
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from batches.models import AuditEvent, Batch, FailedRequest, Revision, Workspace
User.objects.create_superuser("bob")
User.objects.filter(username="bob").update(password=User.objects.get(username="ada").password)
workspace = Workspace.objects.create(name="Research", slug="slow", base_url="http://127.0.0.1:9")
now = timezone.now()
for number in range(60):
    batch = Batch(
        workspace=workspace, api_id=f"slow{{number}}", processing_status="ended", raw={{}},
        created_at=now, first_seen_at=now, changed_at=now, ended_at=now, results_state="read",
        expires_at=now + timedelta(days=1), errored={FAILED_REQUESTS}, processing=0, succeeded=0,
        canceled=0, expired=0, label="x" * 200, revision=1, first_revision=1,
    )
    batch.derive()
    batch.save()
FailedRequest.objects.bulk_create(
    FailedRequest(batch=batch, custom_id=f"r{{n}}", outcome="errored", message="m" * 400)
    for n in range({FAILED_REQUESTS})
)
AuditEvent.objects.bulk_create(
    AuditEvent(at=now, actor="ada", action="batch labeled", workspace_id=workspace.pk,
        workspace="Research", reason="r" * 400)
    for n in range({FAILED_REQUESTS})
)
"""
RESULTS = "/batches/slow59/results/?outcome=errored&format=csv"


def start_web(crew: Crew) -> None:
    crew.start("web")
    wait_until(lambda: crew.answers(f"{crew.web_url}/healthz"), seconds=30, what="web")


@pytest.fixture(scope="module")
def crew(tmp_path_factory) -> Iterator[Crew]:
    """Only the web process, with sixty batches. The last one has much to download."""
    allow_open_files(4096)
    crew = Crew(tmp_path_factory.mktemp("slow"))
    crew.prepare()
    crew.manage("shell", "-c", SEED)
    start_web(crew)
    yield crew
    crew.stop_all()


@pytest.fixture(scope="module")
def cookies(crew) -> dict[str, str]:
    with closing(crew.sign_in()) as browser:
        return dict(browser.cookies)


@pytest.fixture
def attacked(crew, cookies) -> Callable[..., SlowClients]:
    """A function that makes slow clients which send these bytes, with a person's cookies."""

    def attacked(count: int, start: str = "", **how) -> SlowClients:
        signed = "; ".join(f"{name}={value}" for name, value in cookies.items())
        text = start.replace("COOKIES", f"Cookie: {signed}").replace("\n", "\r\n")
        return SlowClients(crew.web_ports[0], count, text.encode(), **how)

    return attacked


def assert_others_are_served(crew: Crew, cookies: dict[str, str]) -> None:
    """Over new connections, as of people who have just arrived."""
    for path in ("/healthz", "/"):
        url = crew.web_url + path
        taken = seconds_of(lambda url=url: httpx.get(url, cookies=cookies, timeout=10))
        assert p95(taken) < QUICK_SECONDS, f"{path}: {taken}"


def is_quick(url: str) -> bool:
    return seconds_of(lambda: httpx.get(url, timeout=10), times=5)[-1] < QUICK_SECONDS / 4


HEAD = "GET / HTTP/1.1\nHost: 127.0.0.1\nX-a: b"
POST = "POST /accounts/login/ HTTP/1.1\nHost: 127.0.0.1\nCOOKIES\n"


@pytest.mark.parametrize(
    ("start", "drip"),
    [
        pytest.param(HEAD, b"", id="half a head"),
        pytest.param(HEAD, b"b", id="a head that drips"),
        pytest.param(f"{POST}Content-Length: 1000\n\n", b"", id="no body"),
        pytest.param(f"{POST}Content-Length: 1000\n\n", b"b", id="a body that drips"),
        pytest.param(f"{POST}Transfer-Encoding: chunked\n\n9\nb", b"", id="half a chunk"),
        pytest.param(f"{POST}Expect: 100-continue\nContent-Length: 9\n\n", b"", id="expects"),
    ],
)
def test_sixty_requests_that_are_never_finished_hold_up_no_one(
    crew, cookies, attacked, start, drip
):
    with attacked(60, start, drip=drip):
        assert_others_are_served(crew, cookies)


def test_sixty_clients_that_never_close_after_their_answer_hold_up_no_one(crew, cookies, attacked):
    with attacked(60, "GET /healthz HTTP/1.0\nHost: 127.0.0.1\n\n", reads=False):
        assert_others_are_served(crew, cookies)


def test_silent_connections_beyond_what_the_processes_take_keep_no_one_out(crew, cookies, attacked):
    count = min(2_200, allow_open_files(4096) - 200)

    with attacked(count):
        assert_others_are_served(crew, cookies)


@pytest.mark.parametrize(
    ("path", "times"),
    [
        pytest.param("/batches/slow59/requests/", 30, id="pages"),
        pytest.param("/static/django_htmx/htmx-2.js", 30, id="files"),
        pytest.param(RESULTS, 1, id="results"),
        pytest.param("/audit.csv", 1, id="audit"),
    ],
)
def test_forty_clients_that_read_nothing_hold_up_no_one(crew, cookies, attacked, path, times):
    request = f"GET {path} HTTP/1.1\nHost: 127.0.0.1\nCOOKIES\n\n"

    with attacked(40, request * times, reads=False):
        # At first they cost as much as quick readers. Then the network takes no more.
        healthz = f"{crew.web_url}/healthz"
        wait_until(lambda: is_quick(healthz), seconds=60, what="quick answers")
        assert_others_are_served(crew, cookies)


def test_one_persons_slow_downloads_refuse_no_one_elses(crew, cookies, attacked):
    request = f"GET {RESULTS} HTTP/1.1\nHost: 127.0.0.1\nCOOKIES\n\n"

    with attacked(40, request, reads=False), closing(crew.sign_in("bob")) as bob:
        codes = [bob.get(RESULTS).status_code for _ in range(5)]
        own = httpx.get(crew.web_url + RESULTS, cookies=cookies).status_code

    assert codes == [200] * 5
    assert own == 429


def transactions(crew: Crew) -> int:
    """How many transactions, or read snapshots, keep the database from tidying up."""
    if crew.database_url:
        with psycopg.connect(crew.database_url) as connection:
            count = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND state LIKE 'idle in transaction%%'"
            ).fetchone()
            return count[0]
    connection = sqlite3.connect(crew.var / "batchboard.db", isolation_level=None)
    try:
        connection.execute("UPDATE batches_workspace SET name = name")
        is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return is_busy
    finally:
        connection.close()


@pytest.mark.parametrize("path", [RESULTS, "/audit.csv"])
def test_a_download_that_waits_for_its_reader_holds_no_transaction(crew, cookies, attacked, path):
    request = f"GET {path} HTTP/1.1\nHost: 127.0.0.1\nCOOKIES\n\n"
    url = crew.web_url + path

    with attacked(4, request, reads=False):
        wait_until(
            lambda: httpx.get(url, cookies=cookies).status_code == 429,
            seconds=10,
            what="downloads under way",
        )
        assert transactions(crew) == 0


def test_the_process_ends_in_time_whatever_its_clients_do(crew, cookies, attacked):
    request = f"GET {RESULTS} HTTP/1.1\nHost: 127.0.0.1\nCOOKIES\n\n"

    with attacked(20), attacked(20, HEAD, drip=b"b"), attacked(20, request, reads=False):
        seconds = crew.terminate("web", within=60)
    start_web(crew)

    assert seconds < GRACE_SECONDS
