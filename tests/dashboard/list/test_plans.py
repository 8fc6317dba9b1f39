"""How the database finds what long lists and batches with many failures show."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches.results.failures import failure_groups
from dashboard.list.keyset import ORDERS

pytestmark = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="PostgreSQL plans by the number of rows."
)


def plan_of(queries: CaptureQueriesContext, *parts: str) -> str:
    """The steps of the query that contains the parts."""
    [sql] = [query["sql"] for query in queries if all(part in query["sql"] for part in parts)]
    with connection.cursor() as cursor:
        return "\n".join(str(row[3]) for row in cursor.execute(f"EXPLAIN QUERY PLAN {sql}"))


@pytest.mark.parametrize("sort", sorted(ORDERS))
@pytest.mark.parametrize("tab", ["active", "canceling", "succeeded", "failed"])
def test_a_long_list_is_walked_without_fetching_rows_that_it_does_not_show(
    sign_in, row, monkeypatch, sort, tab
):
    monkeypatch.setattr("dashboard.list.listing.FEW", 0)
    row("running")
    row("done", processing_status="ended", succeeded=1)
    row("part", processing_status="ended", succeeded=1, errored=1)
    row("stopping", processing_status="canceling", processing=1)
    browser = sign_in("viewer")

    with CaptureQueriesContext(connection) as queries:
        browser.get("/", {"sort": sort, "status": tab})

    column = ORDERS[sort].column
    assert f"SCAN U0 USING COVERING INDEX batch_{column}" in plan_of(queries, "LIMIT 51")


def test_few_active_batches_are_found_without_reading_the_others(sign_in, row):
    row("running")
    browser = sign_in("viewer")

    with CaptureQueriesContext(connection) as queries:
        browser.get("/", {"sort": "newest", "status": "active"})

    assert "batch_tallies (workspace_id=? AND is_active=?)" in plan_of(queries, "LIMIT 51")


def test_the_tabs_are_counted_without_sorting(sign_in, row):
    row("one", label="nightly")
    browser = sign_in("viewer")

    with CaptureQueriesContext(connection) as queries:
        browser.get("/", {"label": "nightly"})

    assert "TEMP B-TREE" not in plan_of(queries, "GROUP BY 1, 2, 3, 4", "+ 0")


def test_kinds_of_failures_are_counted_from_an_index(ended):
    batch = ended(errored=2)

    with CaptureQueriesContext(connection) as queries:
        failure_groups(batch)

    plan = plan_of(queries, "failedrequest")
    assert "COVERING INDEX failed_kinds" in plan
    assert "TEMP B-TREE" not in plan
