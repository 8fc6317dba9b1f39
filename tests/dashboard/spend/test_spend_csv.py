"""The CSVs of the spend page equal the page and are harmless in a spreadsheet."""

from datetime import date
from decimal import Decimal

import pytest
from django.contrib.humanize.templatetags.humanize import intcomma

from batches.models import Workspace
from batches.spend.figures import MISSING
from dashboard.spend.address import GROUPS, STACKS
from dashboard.spend.not_included import MISSING_WORDS
from dashboard.words import usd
from tests.dashboard.reading import csv_table, table
from tests.spend_world import spent, used

pytestmark = pytest.mark.usefixtures("november")
FIRST = date(2026, 11, 2)


@pytest.fixture
def sheet(lead):
    """A function that reads a CSV: its rows as dictionaries."""

    def sheet(name: str, **query) -> list[dict[str, str]]:
        answer = lead.get("/spend.csv", {"table": name, **query})
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        return csv_table(answer)

    return sheet


def as_shown(money: str) -> str:
    return usd(Decimal(money)) if money else "unknown"


def not_included(row: dict[str, str]) -> str:
    kinds = [MISSING_WORDS[kind] for kind in MISSING]
    counts = [(row[f"not included: {words} (batches)"], words) for words in kinds]
    return " · ".join(f"{count} {words}" for count, words in counts if count != "0")


@pytest.mark.parametrize("group", GROUPS)
def test_the_groups_and_their_total_equal_the_page(lead, spendings, sheet, group):
    shown = table(lead.get("/spend/", {"group": group}).text, f"Spend by {group},")

    rows = [
        [
            {"(total)": "Total"}.get(row[group], row[group]),
            row["batches"],
            intcomma(row["billed requests"]),
            as_shown(row["cost (USD)"]),
            share_as_shown(row),
            as_shown(row["saving (USD)"]),
            not_included(row),
        ]
        for row in sheet("groups", group=group)
    ]
    assert rows == shown[1:]


def share_as_shown(row: dict[str, str]) -> str:
    if row["share (%)"]:
        return f"{float(row['share (%)']):.1f}%"
    return "–" if next(iter(row.values())) != "(total)" else ""


@pytest.mark.parametrize("stack", STACKS)
def test_the_days_and_their_total_equal_the_page(lead, spendings, sheet, stack):
    shown = table(lead.get("/spend/", {"stack": stack}).text, "Spend by UTC day")

    rows = sheet("days", stack=stack)

    series = shown[0][3:]
    assert [
        [as_shown(row["total (USD)"]), not_included(row)]
        + [as_shown(row[f"{name} (USD)"]).replace("$0.00", "–") for name in series]
        for row in rows
    ] == [cells[1:] for cells in shown[1:]]
    assert rows[0]["day (UTC)"] == "2026-11-01"
    assert rows[-1]["day (UTC)"] == "(total)"
    assert len(rows) == 24 + 1


def test_the_days_have_a_column_for_each_model_though_the_page_combines_some(
    lead, workspace, sheet
):
    for n in range(9):
        spent(workspace, FIRST, used(model=f"small-2026010{n}", input=n + 1))

    *_, total = sheet("days")

    assert "5 others" in table(lead.get("/spend/").text, "Spend by UTC day")[0]
    assert [total[f"small-2026010{n} (USD)"] for n in range(9)] == [str(n + 1) for n in range(9)]
    assert total["total (USD)"] == "45"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"workspace": "production"},
        {"label": "nightly"},
        {"owner": "(none)"},
        {"canceled": "no"},
        {"model": "small"},
        {"since": "2026-11-12", "until": "2026-11-12"},
    ],
)
def test_the_batches_add_up_to_the_groups_and_the_days(spendings, sheet, query):
    batches = [row["cost (USD)"] for row in sheet("batches", **query)]
    known = sum((Decimal(cost) for cost in batches if cost), Decimal(0))

    for name, column in (("groups", "cost (USD)"), ("days", "total (USD)")):
        *costs, total = [row[column] for row in sheet(name, **query)]
        assert sum(Decimal(cost) for cost in costs if cost) == known
        assert Decimal(total or 0) == known


def test_a_batchs_row_has_everything_that_its_cost_depends_on(sheet, workspace):
    spent(
        workspace,
        FIRST,
        used(input=1.5, web_searches=3, inference_geo="us"),
        used(model="large", output=0.1),
        label="nightly",
        owner="ada",
        succeeded=20,
        errored=2,
    )

    [row] = sheet("batches")

    assert row == {
        "id": "msgbatch_000001",
        "workspace": "Research",
        "label": "nightly",
        "owner": "ada",
        "created (UTC)": "2026-11-02T12:00:00+00:00",
        "ended (UTC)": "2026-11-02T12:05:00+00:00",
        "outcome": "some_failed",
        "results": "results read",
        "processing (requests)": "0",
        "succeeded (requests)": "20",
        "errored (requests)": "2",
        "canceled (requests)": "0",
        "expired (requests)": "0",
        "input (tokens)": "1500000",
        "output (tokens)": "100000",
        "cache write 5m (tokens)": "0",
        "cache write 1h (tokens)": "0",
        "cache read (tokens)": "0",
        "web searches (count)": "3",
        "cost state": "computed",
        # 1.5 x $1 x 1.1 + 3 x $0.01 + 0.1 x $50
        "cost (USD)": "6.68",
        "cost known for (requests)": "20",
        "billed (requests)": "20",
        "cost not known": "",
        "standard cost (USD)": "13.33",
        "saving (USD)": "6.65",
        "prices used": "large, from 2026-01-01; small, from 2026-01-01",
    }


@pytest.mark.parametrize(
    ("columns", "state", "words"),
    [
        ({"processing_status": "in_progress"}, "pending", "running"),
        ({"results_state": "pending"}, "pending", "results not read yet"),
        ({"results_state": "unreadable"}, "unreadable", "results unreadable"),
        ({"results_state": "lost"}, "lost", "results lost"),
    ],
)
def test_an_unknown_amount_is_an_empty_cell_with_its_reason(
    sheet, workspace, columns, state, words
):
    spent(workspace, FIRST, **columns)

    [row] = sheet("batches")

    assert (row["cost state"], row["results"]) == (state, words)
    assert row["cost (USD)"] == row["billed (requests)"] == row["input (tokens)"] == ""
    assert row["cost not known"].endswith(words)


def test_an_unpriced_batch_is_unknown_and_a_partly_unpriced_one_has_its_known_part(
    sheet, workspace
):
    spent(workspace, FIRST, used(model="new", input=1))
    spent(workspace, FIRST, used(model="new", input=1), used(input=1))

    costs = [
        (row["cost state"], row["cost (USD)"], row["cost known for (requests)"])
        for row in sheet("batches")
    ]

    assert costs == [("unpriced", "", "0"), ("unpriced", "1", "10")]
    assert {row["cost not known"] for row in sheet("batches")} == {"no price for new"}


def test_a_batch_without_succeeded_requests_cost_nothing(sheet, workspace):
    spent(workspace, FIRST)

    [row] = sheet("batches")

    assert (row["cost state"], row["cost (USD)"], row["input (tokens)"]) == (
        "computed",
        "0",
        "0",
    )


def test_no_cell_is_a_formula(sheet, workspace):
    evil = "=cmd|' /C calc'!A0"
    spent(workspace, FIRST, used(model=evil), used(input=1), label=evil, owner="@SUM(1)")

    [row] = sheet("batches")

    assert (row["label"], row["owner"]) == (f"'{evil}", "'@SUM(1)")
    assert [row["label"] for row in sheet("groups", group="label")] == [f"'{evil}", "(total)"]
    assert f"'{evil}" in [row["model"] for row in sheet("groups", group="model")]


def test_no_header_is_a_formula(sheet, workspace):
    Workspace.objects.filter(pk=workspace.pk).update(name="=cmd()")
    spent(workspace, FIRST, used(input=1))

    headers = list(sheet("days", stack="workspace")[0])

    assert headers[2] == "'=cmd() (USD)"


def test_batches_stream_with_two_queries_a_block(
    lead, workspace, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr("dashboard.exports.ROWS_AT_ONCE", 4)
    for _ in range(12):
        spent(workspace, FIRST, used(input=1), used(model="large", input=1))

    # Session, person, workspaces; the count of batches and, for each of two workspaces, a look-up
    # and an audit event; the batches' keys, and for each block of four the batches and their usage.
    with django_assert_num_queries(3 + 1 + 2 * 2 + 1 + 2 * 3):
        lines = lead.get("/spend.csv", {"table": "batches"}).getvalue().splitlines()

    assert len(lines) == 13


def test_an_unknown_table_is_not_found(lead):
    assert lead.get("/spend.csv", {"table": "secrets"}).status_code == 404
