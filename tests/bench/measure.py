"""Runs one measurement with a database of its own, and prints its figures as JSON."""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import django
from django.core.management import call_command
from django.db import connection

from tests.bench import lists, reading, work
from tests.bench.api import api_pages
from tests.bench.spend import spend_pages


def ready(name: str) -> None:
    django.setup()
    if name == "claim_until_none":
        # It uses the database that another measurement created.
        connection.creation.set_as_test_mirror(connection.settings_dict)
        connection.settings_dict["NAME"] = connection.creation._get_test_db_name()
        return
    if connection.vendor == "postgresql":
        # A server that was just started has no database yet.
        connection.creation.create_test_db(verbosity=0)
    call_command("migrate", verbosity=0)


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def timed(call: Callable[[], Any], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return taken


def statements(call: Callable[[], Any]) -> list[str]:
    """The SQL statements of the call, without those that begin and end transactions."""
    asked: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        asked.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        call()
    return [sql for sql in asked if not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE"))]


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pages(batches: str) -> dict[str, float]:
    """The list page and the poll over a mirror of that many batches."""
    from dashboard.list.counts import forget
    from tests.bench.rows import make_mirror, signed_in

    client = signed_in(make_mirror(int(batches)))
    answer = client.get("/")
    assert answer.status_code == 200, answer.status_code
    timed(lambda: client.get("/"), 10)
    warm = timed(lambda: client.get("/"), 100)

    def cold() -> None:
        forget()
        client.get("/")

    forgetful = timed(cold, 50)
    forget()
    queries = statements(lambda: client.get("/"))
    version = version_in(answer.text)
    assert client.get(f"/live/?v={version}").status_code == 204
    # In turns, so that other work on the machine affects both.
    polls, bare = [], []
    for _ in range(10):
        polls += timed(lambda: client.get(f"/live/?v={version}"), 50)
        bare += timed(lambda: client.get("/bare/"), 50)
    return {
        "list_p95": p95(warm),
        "list_cold_p95": p95(forgetful),
        "list_queries": len(queries),
        "poll_median": statistics.median(polls),
        "bare_median": statistics.median(bare),
        "peak_mb": peak_mb(),
    }


def listings(batches: str) -> dict[str, Any]:
    """The list in every order under every tab, filters, searches and polls."""
    found = lists.list_pages(int(batches), timed)
    slowest = max(found["listed"], key=lambda address: p95(found["listed"][address]))
    search = max(found["searched"], key=lambda text: p95(found["searched"][text]))
    return {
        "address": slowest,
        "list_p95": p95(found["listed"][slowest]),
        "list_median": statistics.median(
            second for seconds in found["listed"].values() for second in seconds
        ),
        "search": search,
        "search_p95": p95([each for seconds in found["searched"].values() for each in seconds]),
        "page_kb": found["page_bytes"] / 1000,
        "poll_kb": found["poll_bytes"] / 1000,
        "card_kb": found["card_bytes"] / 1000,
        "poll_by_page": statistics.median(found["polled"]) / statistics.median(found["page"]),
    }


def failed_requests() -> dict[str, Any]:
    """The slowest page about a batch's failed requests."""
    found = lists.failed_pages(timed)
    slowest = max(found, key=lambda address: p95(found[address]))
    return {"address": slowest, "p95": p95(found[slowest])}


def spend(batches: str) -> dict[str, float]:
    """The spend page over that many batches with usage, by grouping."""
    taken = spend_pages(int(batches), timed)
    return {f"{name}_p95": p95(seconds) for name, seconds in taken.items()} | {
        f"{name}_median": statistics.median(seconds) for name, seconds in taken.items()
    }


def api(batches: str) -> dict[str, float]:
    """The API's list over that many batches with usage: the slowest of some queries."""
    taken = api_pages(int(batches), timed)
    print({name: round(1000 * p95(seconds), 1) for name, seconds in taken.items()}, file=sys.stderr)
    slowest = max(taken.values(), key=p95)
    return {"p95": p95(slowest), "median": statistics.median(slowest)}


def version_in(page: str) -> str:
    """The version that the page polls with."""
    return page.partition('data-version="')[2].partition('"')[0]


def cancels(times: str) -> dict[str, float]:
    """The cancel view's own time, without the API call."""
    import httpx

    from batches import connect
    from batches.mirror.sync import sync_workspace
    from batches.models import Workspace
    from batches.sandbox import SandboxApi
    from batches.turn import Turn
    from tests.bench.rows import signed_in
    from tests.working import claim

    spent: list[float] = []

    class Timed(httpx.BaseTransport):
        def __init__(self, inner: httpx.BaseTransport) -> None:
            self.inner = inner

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            start = time.perf_counter()
            try:
                return self.inner.handle_request(request)
            finally:
                spent.append(time.perf_counter() - start)

    sandbox = SandboxApi(calls_a_minute=10**6)
    connect.transport = lambda: Timed(sandbox.transport())
    ids = [sandbox.add_batch() for _ in range(int(times))]
    workspace = Workspace.objects.create(
        name="Bench", slug="bench", base_url="http://sandbox", api_key=sandbox.key
    )
    sync_workspace(claim(workspace), Turn())
    client = signed_in(workspace)
    own = []
    for api_id in ids:
        spent.clear()
        start = time.perf_counter()
        answer = client.post(f"/batches/{api_id}/cancel/", headers={"HX-Request": "true"})
        own.append(time.perf_counter() - start - sum(spent))
        assert 'data-status="canceling"' in answer.text
    sandbox.close()
    return {"own_p95": p95(own), "own_median": statistics.median(own)}


def first_sync(base_url: str, batches: str) -> dict[str, float]:
    """From an empty mirror to every batch of the list, in seconds."""
    from batches.mirror.sync import sync_workspace
    from batches.models import Batch, Workspace
    from batches.turn import Turn
    from tests.working import claim

    workspace = Workspace.objects.create(
        name="Bench", slug="bench", base_url=base_url, api_key="bench"
    )
    start = time.perf_counter()
    # A long listing takes several rounds.
    while workspace.backfilled_at is None:
        workspace = claim(workspace)
        assert sync_workspace(workspace, Turn())
    seconds = time.perf_counter() - start
    assert Batch.objects.count() == int(batches)
    return {"seconds": seconds, "peak_mb": peak_mb()}


def steady_round(base_url: str) -> dict[str, float]:
    """A round in which nothing has changed: CPU seconds, and rows of batches written."""
    from batches.mirror.sync import sync_workspace
    from batches.models import Workspace
    from batches.turn import Turn
    from tests.working import claim

    workspace = Workspace.objects.create(
        name="Bench", slug="bench", base_url=base_url, api_key="bench"
    )

    def one_round() -> None:
        Workspace.objects.update(next_attempt_at=None)
        assert sync_workspace(claim(workspace), Turn())

    one_round()
    one_round()
    cpu = []
    for _ in range(10):
        start = time.process_time()
        one_round()
        cpu.append(time.process_time() - start)
    writes = [
        sql
        for sql in statements(one_round)
        if not sql.startswith(("SELECT", 'UPDATE "batches_workspace"'))
    ]
    return {"cpu_median": statistics.median(cpu), "row_writes": len(writes)}


def cancel_latency(base_url: str) -> dict[str, float]:
    """From a cancellation being due to its call, while four readers work."""
    seconds = work.cancel_latencies(base_url)["seconds"]
    return {"p95": p95(seconds), "median": statistics.median(seconds)}


def sdk(base_url: str, batches: str) -> dict[str, float]:
    """The official SDK iterating over the same list."""
    import anthropic

    client = anthropic.Anthropic(api_key="bench", base_url=base_url)
    start = time.perf_counter()
    listed = sum(1 for _ in client.messages.batches.list(limit=1000))
    seconds = time.perf_counter() - start
    assert listed == int(batches), listed
    return {"seconds": seconds, "peak_mb": peak_mb()}


MEASURES = {
    "read_file": reading.read_file,
    "sdk_results": reading.sdk_results,
    "bare_results": reading.bare_results,
    "pages": pages,
    "listings": listings,
    "failed_requests": failed_requests,
    "spend": spend,
    "api": api,
    "cancels": cancels,
    "first_sync": first_sync,
    "steady_round": steady_round,
    "cancel_latency": cancel_latency,
    "claims_a_second": work.claims_a_second,
    "claim_until_none": work.claim_until_none,
    "sdk": sdk,
}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    if name not in {"sdk", "sdk_results", "bare_results"}:
        ready(name)
    print(json.dumps(MEASURES[name](*arguments)))
