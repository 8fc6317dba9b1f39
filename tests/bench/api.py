"""The API's list over a mirror whose batches have been read."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import connection
from django.test import Client
from django.utils import timezone

ROOT = "/api/v1/batches"
QUERIES = ("", "?sort=newest&status=ended", "?label=label+7")


def api_pages(
    batches: int, timed: Callable[[Callable[[], object], int], list[float]]
) -> dict[str, Sequence[float]]:
    """Seconds per call: first pages with several filters, and pages far behind."""
    from django.contrib.auth.models import Group, User

    from dashboard import api_tokens
    from dashboard.models import ApiToken
    from tests.bench.rows import make_spend, with_a_worker

    # What is measured is the call, not how many a minute may be made.
    api_tokens.CALLS_A_MINUTE = 10**9
    workspaces, now = make_spend(batches), timezone.now()
    with_a_worker()
    user = User.objects.create_user("bench")
    user.groups.add(Group.objects.get(name="viewer"))
    user.workspaces.add(*workspaces)
    text = api_tokens.new_text()
    token = ApiToken.objects.create(
        person=user,
        name="bench",
        token_hash=api_tokens.hashed(text),
        scopes="read",
        created_at=now,
        expires_at=now + timedelta(days=1),
    )
    token.workspaces.set(workspaces)
    if connection.vendor == "postgresql":
        # As autovacuum would have done a minute later.
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    client = Client(headers={"Authorization": f"Bearer {text}"})

    def get(address: str) -> object:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        return answer.json()["next"]

    far = f"{ROOT}?sort=newest&limit=200"
    for _ in range(20):
        far = str(get(far)).removeprefix("http://testserver")
    far = far.replace("limit=200", "limit=50")
    found: dict[str, Sequence[float]] = {}
    for address in (*(f"{ROOT}{query}" for query in QUERIES), far):
        timed(lambda address=address: get(address), 5)
        found[address.removeprefix(ROOT)[:30]] = timed(lambda address=address: get(address), 60)
    return found
