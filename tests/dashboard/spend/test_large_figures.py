"""The largest figures that the API may send break no page, nor do larger numbers in an address."""

from datetime import date
from decimal import Decimal

import pytest

from batches.client.types import LARGEST_COUNT
from tests.dashboard.batch.batch_page import read
from tests.dashboard.reading import table, words_of
from tests.spend_world import spent

pytestmark = pytest.mark.usefixtures("november")
FIRST = date(2026, 11, 2)
# A batch with the most requests, each with the most tokens.
MOST_TOKENS = 10**8 * 100_000
HUGE = (2**63 - 1, 2**63, 10**19, 10**400)


@pytest.fixture
def huge(workspace, other_workspace):
    """Batches whose counts and figures are all as large as the API may send them."""
    counts = dict.fromkeys(("succeeded", "errored", "canceled", "expired"), LARGEST_COUNT)
    names = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
    usage = {f"{name}_tokens": MOST_TOKENS for name in names}
    for each in (workspace, workspace, other_workspace):
        batch = spent(
            each,
            FIRST,
            usage | {"requests": LARGEST_COUNT, "web_searches": MOST_TOKENS},
            label="huge",
            **counts,
        )
        read(batch)
    return batch


# In a batch: $9.35 for a million tokens of each class, and $0.01 for a search.
COST = Decimal("100093500000.00")


@pytest.mark.parametrize(
    ("address", "figure"),
    [
        ("/", LARGEST_COUNT),
        ("/?sort=oldest&q=huge", LARGEST_COUNT),
        ("/batches.csv", LARGEST_COUNT),
        ("/spend.csv?table=batches", MOST_TOKENS),
        ("/spend.csv?table=groups", 2 * LARGEST_COUNT),
        ("/spend.csv?table=days", 3 * int(COST)),
        ("/spend/focus.csv", 2 * MOST_TOKENS),
    ],
)
def test_pages_and_files_show_the_largest_figures(lead, huge, address, figure):
    answer = lead.get(address)

    assert answer.status_code == 200
    assert str(figure) in b"".join(answer).decode().replace(",", "")


def test_a_batch_of_the_largest_figures_has_its_page(lead, huge):
    page = lead.get(huge.get_absolute_url())

    assert page.status_code == 200
    assert f"{LARGEST_COUNT:,}" in page.text
    assert f"${COST:,}" in page.text


@pytest.mark.parametrize("group", ["workspace", "label", "canceled"])
def test_spend_sums_the_largest_figures_exactly(lead, huge, group):
    page = lead.get("/spend/", {"group": group}).text

    assert f"${3 * COST:,}" in words_of(page, "total")
    [*_, total] = table(page, f"Spend by {group},")
    assert total[2] == f"{3 * LARGEST_COUNT:,}"
    assert total[3] == f"${3 * COST:,}"


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    "address",
    [
        *("/?after={}", "/live/?v={}.a.b&shown={}", "/audit/?after={}", "/?since={}-01-01"),
        *("/spend/?since={}-01-01", "/spend/?until={}", "/?q={}", "/spend/?model={}"),
        "/batches/msgbatch_000003/requests/?after={}",
        "/batches/msgbatch_000003/live/?v={}.a.b",
    ],
)
def test_no_number_in_an_address_breaks_a_page(lead, huge, address, number):
    assert lead.get(address.replace("{}", str(number))).status_code in {200, 204}


@pytest.mark.parametrize("number", HUGE)
def test_a_month_that_does_not_exist_is_refused(lead, number):
    assert lead.get("/spend/focus.csv", {"month": f"{number}-11"}).status_code == 400
