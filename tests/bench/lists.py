"""The list's orders, tabs, filters, searches and polls, and the failed requests of one batch."""

from collections.abc import Callable
from html import unescape
from random import Random
from typing import Any

from django.db import connection, transaction
from django.test import Client

FAILED = 100_000
# By label, owner and model: exactly and by a part, many and few.
FILTERS = (
    *("label=nightly", "label=%22nightly+eval+17%22", "label=eval+17&sort=cost"),
    *("owner=person3", "model=haiku", "model=haiku&sort=largest"),
)
KINDS = (
    *(("errored", "api_error", "Internal server error"), ("errored", "overloaded_error", "")),
    *(("errored", "invalid_request_error", "messages.{}: too long"), ("expired", "", "")),
)
CHANGED = 11


def list_pages(
    batches: int, times: Callable[[Callable[[], Any], int], list[float]]
) -> dict[str, Any]:
    """Seconds of server time of each address, and the bytes of a page and of its polls."""
    from dashboard.list.counts import forget
    from dashboard.list.keyset import ORDERS
    from dashboard.list.listing import TABS
    from tests.bench.rows import SEARCHES, make_mirror, signed_in

    client = signed_in(make_mirror(batches))
    vacuum()

    def seconds(address: str, count: int = 10) -> list[float]:
        view(client, address)
        return times(lambda: view(client, address), count)

    addresses = [f"/?sort={sort}&status={tab}" for sort in ORDERS for tab in list(TABS)[1:]]
    addresses += [f"/?sort={sort}" for sort in ORDERS] + [f"/?{given}" for given in FILTERS]
    listed = {address: seconds(address) for address in addresses}
    searched = {}
    for text in SEARCHES:
        searched[text] = []
        for _ in range(5):
            forget()
            # The summary's counts are in memory already.
            view(client, "/")
            searched[text] += times(lambda text=text: view(client, f"/?q={text}"), 1)
    return {
        "listed": listed,
        "searched": searched,
        "page_bytes": max(len(client.get(f"/?status={tab}").content) for tab in list(TABS)[1:]),
        **polls(client, seconds),
    }


def polls(client: Client, seconds: Callable[[str], list[float]]) -> dict[str, Any]:
    """Of a page on which one card has changed: the answer's seconds and bytes, and of more cards.

    `page` are the seconds of the page itself.
    """
    page = client.get("/").text
    address = unescape(page.partition('id="live" hx-get="')[2].partition('"')[0])
    keys = [int(each.split()[0].strip('">')) for each in page.split("id=link-")[1:]]
    address += "".join(f"&shown={key}" for key in keys)
    touch(keys[:1])
    one, polled = len(client.get(address).content), seconds(address)
    touch(keys[1:CHANGED])
    more = len(client.get(address).content)
    return {
        "poll_bytes": one,
        "card_bytes": (more - one) / (CHANGED - 1),
        "polled": polled,
        "page": seconds("/"),
    }


def touch(keys: list[int]) -> None:
    """Give the batches new revisions, as a change does."""
    from batches.models import Batch

    with transaction.atomic():
        for batch in Batch.objects.filter(pk__in=keys):
            batch.touch()


def failed_pages(times: Callable[[Callable[[], Any], int], list[float]]) -> dict[str, list[float]]:
    """Seconds of a batch's page, and of its failed requests, with FAILED of them."""
    from batches.models import Batch, FailedRequest
    from tests.bench.rows import ACTIVE, make_mirror, signed_in

    client = signed_in(make_mirror(ACTIVE + 1))
    batch = Batch.objects.get(is_active=False)
    chance = Random(FAILED)
    numbers = chance.sample(range(FAILED), FAILED)
    kinds = chance.choices(KINDS, k=FAILED)
    FailedRequest.objects.bulk_create(
        [
            FailedRequest(
                batch=batch, custom_id=f"request-{number}", outcome=outcome, error_type=error_type,
                message=message.format(number % 300),
            )
            for number, (outcome, error_type, message) in zip(numbers, kinds, strict=True)
        ],
        batch_size=5000,
    )  # fmt: skip
    vacuum()
    page = f"/batches/{batch.api_id}/"
    queries = ("", "?outcome=errored", "?type=api_error", "?q=77", "?outcome=expired&q=zz")
    addresses = [page, *(f"{page}requests/{query}" for query in queries)]
    for address in addresses:
        view(client, address)
    return {
        address: times(lambda address=address: view(client, address), 10) for address in addresses
    }


def view(client: Client, address: str) -> None:
    assert client.get(address).status_code == 200, address


def vacuum() -> None:
    """Does what PostgreSQL's autovacuum would do a minute later."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
