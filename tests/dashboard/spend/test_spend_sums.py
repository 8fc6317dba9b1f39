"""Shown amounts add up, and periods are compared only if both are complete."""

from datetime import date
from decimal import Decimal

import pytest

from dashboard.spend.address import GROUPS, STACKS
from tests.dashboard.reading import csv_table, table, words_of
from tests.spend_world import spent, used

pytestmark = pytest.mark.usefixtures("november")
URL = "/spend/"
OCTOBER = {"since": "2026-10-01", "until": "2026-10-31"}


@pytest.fixture
def thirds(workspace, other_workspace) -> None:
    """Many figures such as a third of a cent, a little over $4 in total."""
    for n in range(24):
        spent(
            other_workspace if n % 3 else workspace,
            date(2026, 10, 1 + n % 7),
            used(input=0.003333 * (n + 1), cache_read=0.033333, web_searches=n % 2),
            used(model=("large", "large-20260101", "small-20260101")[n % 3], output=0.001666),
            label=f"label {n % 5}" if n % 4 else "",
            owner=("ada", "bob", "")[n % 3],
            is_canceled=n % 6 == 5,
        )


@pytest.fixture
def crumbs(workspace) -> None:
    """Less than a cent a batch, and less than a dollar in total."""
    for n in range(9):
        spent(workspace, date(2026, 10, 1 + n % 4), used(input=0.001111 * n), label=f"label {n}")


def dollars(words: str) -> Decimal:
    """A shown amount; a dash, or less than the smallest shown amount, counts as zero."""
    if words == "–" or words.startswith("<$"):
        return Decimal(0)
    assert words.startswith("$"), words
    return Decimal(words.removeprefix("$").replace(",", ""))


def column(rows: list[list[str]], at: int) -> list[Decimal]:
    return [dollars(row[at]) for row in rows]


@pytest.mark.parametrize("world", ["thirds", "crumbs", "spendings"])
@pytest.mark.parametrize("stack", STACKS)
def test_days_and_series_add_up_in_rows_and_columns(request, lead, world, stack):
    request.getfixturevalue(world)

    _, *days, total = table(lead.get(URL, {**OCTOBER, "stack": stack}).text, "Spend by UTC day")

    for row in [*days, total]:
        assert sum(map(dollars, row[3:])) == dollars(row[1])
    for at in (1, *range(3, len(total))):
        assert sum(column(days, at)) == dollars(total[at])


@pytest.mark.parametrize("world", ["thirds", "crumbs", "spendings"])
@pytest.mark.parametrize("group", GROUPS)
def test_groups_add_up(request, lead, world, group):
    request.getfixturevalue(world)

    page = lead.get(URL, {**OCTOBER, "group": group}).text
    _, *rows, total = table(page, f"Spend by {group},")

    known = [row for row in rows if row[3] != "unknown"]
    assert sum(column(known, 3)) == dollars(total[3])
    assert sum(column(known, 5)) == dollars(total[5])
    shares = [Decimal(row[4].removesuffix("%")) for row in known if not row[4].startswith("<")]
    assert sum(shares) == 100


def test_groups_that_are_the_charts_series_show_the_same_amounts(lead, thirds):
    page = lead.get(URL, {**OCTOBER, "group": "model", "stack": "model"}).text

    header, *_, total = table(page, "Spend by UTC day")
    groups = {row[0]: row[3] for row in table(page, "Spend by model,")}

    for name, shown in zip(header[3:], total[3:], strict=True):
        assert groups[name] == shown


def test_groups_that_share_a_color_add_up_to_what_it_shows(lead, workspace):
    for n in range(11):
        spent(workspace, date(2026, 10, 1 + n), used(model=f"small-202601{n + 10}", input=1 / 3))

    page = lead.get(URL, {**OCTOBER, "group": "model", "groups": "all"}).text

    header, *_, total = table(page, "Spend by UTC day")
    groups = {row[0]: dollars(row[3]) for row in table(page, "Spend by model,")[1:]}
    others = [cost for name, cost in groups.items() if name not in {*header, "Total"}]
    assert header[-1] == "7 others"
    assert len(others) == 7
    assert sum(others) == dollars(total[-1])


def test_token_classes_add_up(lead, workspace):
    # $0.3333, $0.3334 and $0.3333.
    spent(workspace, date(2026, 10, 1), used(input=0.3333, output=0.06668, cache_read=3.333))

    _, *classes, total = table(lead.get(URL, OCTOBER).text, "Tokens and web searches")

    assert total[2] == "$1.00"
    assert sorted(row[2] for row in classes if row[2] != "$0.00") == ["$0.33", "$0.33", "$0.34"]


def test_folded_groups_add_up(lead, thirds, monkeypatch):
    monkeypatch.setattr("dashboard.spend.views.FEW_GROUPS", 2)

    page = lead.get(URL, {**OCTOBER, "group": "label"}).text
    _, *rows, total = table(page, "Spend by label,")

    assert rows[-1][0] == "4 more"
    assert sum(column(rows, 3)) == dollars(total[3])
    assert sum(column(rows, 5)) == dollars(total[5])


@pytest.mark.parametrize("world", ["thirds", "crumbs", "spendings"])
def test_cost_and_saving_add_up_to_the_standard_cost(request, lead, world):
    request.getfixturevalue(world)

    page = lead.get(URL, OCTOBER).text

    cost = next(word for word in words_of(page, "total").split() if word.startswith("$"))
    saved = words_of(page, "saved").split()
    assert dollars(cost) + dollars(saved[1]) == dollars(saved[saved.index("against") + 1])


def test_a_saving_is_the_difference_of_the_shown_amounts(lead, workspace):
    spent(workspace, date(2026, 10, 1), used(input=2.4949))

    page = lead.get(URL, OCTOBER).text

    assert "$2.49 from 1 batch’s results" in words_of(page, "total")
    assert "Saved $2.50 against $4.99" in words_of(page, "saved")


def test_an_amount_below_a_cent_is_not_shown_as_zero(lead, workspace):
    spent(workspace, date(2026, 10, 1), used(input=3), label="large")
    spent(workspace, date(2026, 10, 2), used(input=0.001), label="small")

    page = lead.get(URL, {**OCTOBER, "group": "label"}).text

    assert [row[3] for row in table(page, "Spend by label,")[1:]] == ["$3.00", "<$0.01", "$3.00"]
    assert [row[1] for row in table(page, "Spend by UTC day")[1:4]] == ["$3.00", "<$0.01", "$0.00"]


def test_the_csv_is_exact_while_the_page_is_rounded(lead, workspace):
    spent(workspace, date(2026, 10, 1), used(input=0.333333))

    row, _ = csv_table(lead.get("/spend.csv", OCTOBER))

    assert Decimal(row["cost (USD)"]) == Decimal("0.333333")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (10, 13.1, "$10.00 +31% since then"),
        (1, 3, "$1.00 +200% since then"),
        (10, 9.5, "$10.00 −5.0% since then"),
        (10, 10, "$10.00 unchanged since then"),
        (0.99, 5, "$0.99 No comparison: 1–7 Nov 2026 cost less than $1.00"),
        (0, 5, "$0.00 No comparison: 1–7 Nov 2026 cost less than $1.00"),
    ],
)
def test_complete_periods_are_compared_from_a_dollar_up(lead, workspace, before, after, words):
    spent(workspace, date(2026, 11, 1), used(input=before))
    spent(workspace, date(2026, 11, 9), used(input=after))

    page = lead.get(URL, {"since": "2026-11-08", "until": "2026-11-14"}).text

    assert words_of(page, "change") == f"Period before: 1–7 Nov 2026 {words}"


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"processing_status": "in_progress"}, "1 running"),
        ({"results_state": "pending"}, "1 not read yet"),
        ({"results_state": "unreadable"}, "1 unreadable"),
        ({"results_state": "lost"}, "1 lost"),
    ],
)
@pytest.mark.parametrize(("day", "period"), [(1, "1–7 Nov 2026"), (9, "8–14 Nov 2026")])
def test_an_incomplete_period_is_not_compared(lead, workspace, missing, words, day, period):
    spent(workspace, date(2026, 11, 1), used(input=10))
    spent(workspace, date(2026, 11, 9), used(input=10))
    spent(workspace, date(2026, 11, day), **missing)

    page = lead.get(URL, {"since": "2026-11-08", "until": "2026-11-14"}).text

    assert f"No comparison: {period} isn’t complete: {words}" in words_of(page, "change")


@pytest.mark.parametrize(("day", "words"), [(1, "1 request"), (9, "1 with an unpriced model")])
def test_a_period_with_unpriced_usage_is_not_compared(lead, workspace, day, words):
    spent(workspace, date(2026, 11, 1), used(input=10))
    spent(workspace, date(2026, 11, 9), used(input=10))
    spent(workspace, date(2026, 11, day), used(model="new", requests=1))

    page = lead.get(URL, {"since": "2026-11-08", "until": "2026-11-14"}).text

    assert f"isn’t complete: {words}" in words_of(page, "change")
