"""The spend page over a mirror whose batches have all been read."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

DAYS = 30
# By workspace, which is the default, and by the groupings that take longest.
GROUPINGS = ("workspace", "label")


def spend_pages(
    batches: int, timed: Callable[[Callable[[], Any], int], list[float]]
) -> dict[str, list[float]]:
    """Seconds of server time by grouping, for 30 days and the 30 days before them."""
    from tests.bench.rows import make_spend, signed_in

    client = signed_in(*make_spend(batches), role="lead")
    if connection.vendor == "postgresql":
        # Autovacuum would do this a minute later.
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    today = timezone.now().date()
    taken = {}
    for grouping in GROUPINGS:
        query = {"since": today - timedelta(days=DAYS - 1), "until": today, "group": grouping}
        answer = client.get("/spend/", query)
        assert answer.status_code == 200, answer.status_code
        assert "batches’ results" in answer.text
        timed(lambda query=query: client.get("/spend/", query), 5)
        taken[grouping] = timed(lambda query=query: client.get("/spend/", query), 60)
    return taken
