"""Anthropic's report beside Batchboard's figures: the tile, the column by workspace, the CSV."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batches.models import CostReport, ReportedCost, Workspace
from tests.dashboard.reading import csv_table, links, table, words_of, words_of_section
from tests.spend_world import spent, used

pytestmark = pytest.mark.usefixtures("november")
URL = "/spend/"
NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
FIRST = date(2026, 11, 2)
OCTOBER = {"month": "2026-10"}


@pytest.fixture(autouse=True)
def _with_an_admin_key(settings):
    settings.ANTHROPIC_ADMIN_KEY = "sk-ant-admin01-x"
    settings.ANTHROPIC_BASE_URL = "http://sandbox"


@pytest.fixture
def reported(workspace, other_workspace):
    """A function that stores Anthropic's report, of which amounts are given by day and ID."""
    for each in (workspace, other_workspace):
        Workspace.objects.filter(pk=each.pk).update(
            last_synced_at=NOW, api_workspace_id=f"wrkspc_{each.slug}"
        )

    def reported(amounts: dict[tuple[date, str], str], **columns) -> None:
        CostReport.objects.create(
            pk=1,
            **{
                "fetched_at": NOW,
                "refreshed_at": NOW,
                "covers_since": date(2026, 9, 1),
                **columns,
            },
        )
        for (day, slug), amount in amounts.items():
            ReportedCost.objects.create(
                day=day, api_workspace_id=f"wrkspc_{slug}", amount=amount, requests=10
            )

    return reported


def test_without_a_key_there_is_no_tile_and_only_admins_get_a_hint(
    sign_in, workspace, other_workspace, spendings, settings
):
    settings.ANTHROPIC_ADMIN_KEY = ""

    lead = sign_in("lead", workspace, other_workspace).get(URL).text
    admin = sign_in("admin", workspace, other_workspace).get(URL).text

    assert words_of(lead, "reported") == words_of(admin, "reported") == ""
    assert "ANTHROPIC_ADMIN_KEY" not in lead
    assert "ANTHROPIC_ADMIN_KEY" in admin


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"fetched_at": None}, "Batchboard fetches it every hour."),
        ({"fetched_at": None, "error": "No."}, "It can’t be fetched. Show the error"),
        ({"covers_since": date(2026, 11, 25)}, "Anthropic hasn’t reported this period yet."),
    ],
)
def test_before_there_is_a_report_the_tile_says_why(lead, spendings, reported, columns, words):
    reported({}, **columns)

    assert words_of(lead.get(URL).text, "reported") == f"Anthropic’s report not yet {words}"


def test_with_two_whole_sides_the_difference_is_also_a_percentage(lead, workspace, reported):
    spent(workspace, date(2026, 10, 2), used(input=10))
    reported({(date(2026, 10, 2), "research"): "10.30"})

    page = lead.get(URL, OCTOBER).text

    assert words_of(page, "reported") == (
        "Anthropic’s report $10.30 difference +$0.30 (3.0%) Compare by day"
    )
    assert ("Compare by day", "#report") in [
        (words, href) for words, href in links(page.replace('class="screen-only tile-link" ', ""))
    ]


@pytest.mark.parametrize(
    "missing",
    [{"processing_status": "in_progress"}, {"results_state": "lost"}],
)
def test_an_incomplete_side_is_not_given_as_a_percentage(lead, workspace, reported, missing):
    spent(workspace, date(2026, 10, 2), used(input=10))
    spent(workspace, date(2026, 10, 2), **missing)
    reported({(date(2026, 10, 2), "research"): "10.30"})

    words = words_of(lead.get(URL, OCTOBER).text, "reported")

    assert "difference +$0.30 Compare" in words
    assert "%" not in words


def test_a_day_that_is_reported_in_part_is_not_given_as_a_percentage(lead, workspace, reported):
    spent(workspace, FIRST, used(input=10))
    reported({(FIRST, "research"): "10.30"})

    assert "%" not in words_of(lead.get(URL).text, "reported")


def test_days_without_a_report_are_named_with_the_figure_that_is_compared(
    lead, workspace, reported
):
    spent(workspace, FIRST, used(input=10))
    spent(workspace, date(2026, 11, 20), used(input=5))
    reported({(FIRST, "research"): "10"}, refreshed_at=datetime(2026, 11, 12, tzinfo=UTC))

    page = lead.get(URL).text

    assert words_of(page, "reported") == (
        "Anthropic’s report $10.00 difference none up to 12 Nov 2026,"
        " against $10.00 for the same days and workspaces Compare by day"
    )
    assert "Anthropic’s report ends on 12 Nov 2026." in page


def test_other_filters_are_not_compared(lead, spendings, reported):
    reported({(FIRST, "research"): "10"})

    page = lead.get(URL, {"label": "nightly"}).text

    assert "not compared It can be filtered by dates and workspace only." in words_of(
        page, "reported"
    )
    assert "Anthropic’s report" not in table(page, "Spend by workspace")[0]


def test_an_error_or_an_old_report_is_said_beside_the_figure(lead, spendings, reported):
    reported({(FIRST, "research"): "10"}, error="No.", error_at=NOW)

    assert "· can’t be fetched now" in words_of(lead.get(URL).text, "reported")

    CostReport.objects.update(error="", fetched_at=datetime(2026, 11, 24, 11, tzinfo=UTC))

    assert "· out of date" in words_of(lead.get(URL).text, "reported")


def column_of(page: str) -> list[tuple[str, str]]:
    header, *rows = table(page, "Spend by workspace")
    at = header.index("Anthropic’s report")
    return [(row[0], row[at]) for row in rows]


def test_each_workspace_has_anthropics_figure_and_they_add_up(lead, spendings, reported):
    third = "10.333333333333"
    reported(
        {
            (FIRST, "research"): third,
            (date(2026, 11, 12), "research"): third,
            (FIRST, "production"): third,
        }
    )

    page = lead.get(URL).text

    assert column_of(page) == [
        ("Research", "$20.67"),
        ("Production", "$10.33"),
        ("Total", "$31.00"),
    ]
    assert words_of(page, "reported").startswith("Anthropic’s report $31.00")


def test_keys_of_one_workspace_share_a_figure(lead, spendings, reported):
    reported({(FIRST, "research"): "10"})
    Workspace.objects.update(api_workspace_id="wrkspc_research")

    assert column_of(lead.get(URL).text) == [
        ("Research", "$10.00 with Production"),
        ("Production", "in Research’s figure"),
        ("Total", "$10.00"),
    ]


def test_a_workspace_that_cannot_be_compared_has_no_figure(
    lead, spendings, reported, other_workspace
):
    reported({(FIRST, "research"): "10"})
    Workspace.objects.filter(pk=other_workspace.pk).update(base_url="https://elsewhere.test")

    assert column_of(lead.get(URL).text)[1] == ("Production", "not compared")


def test_what_only_anthropic_reports_has_a_row_for_superusers(admin_client, spendings, reported):
    reported({(FIRST, "research"): "10", (FIRST, "elsewhere"): "2.5"})

    page = admin_client.get(URL).text

    assert [row[0] for row in table(page, "Spend by workspace")][-2:] == [
        *("Only in Anthropic’s report", "Total")
    ]
    assert "$2.50" in table(page, "Spend by workspace")[-2]
    assert column_of(page)[-1] == ("Total", "$12.50")


def test_the_csv_has_the_same_column(lead, spendings, reported):
    reported({(FIRST, "research"): "10.333333", (FIRST, "production"): "5"})

    rows = csv_table(lead.get("/spend.csv", {"table": "groups"}))

    name = "Anthropic's report (USD)"
    assert [(row["workspace"], Decimal(row[name])) for row in rows] == [
        ("Research", Decimal("10.333333")),
        ("Production", Decimal(5)),
        ("(total)", Decimal("15.333333")),
    ]


def test_folded_workspaces_are_in_the_columns_total(
    lead, spendings, reported, monkeypatch, workspace, person
):
    monkeypatch.setattr("dashboard.spend.views.FEW_GROUPS", 1)
    third = Workspace.objects.create(
        name="Third", slug="third", base_url="http://sandbox", api_key="x"
    )
    third.members.set(workspace.members.all())
    spent(third, FIRST, used(input=1))
    reported({(FIRST, "research"): "10", (FIRST, "production"): "5"})

    assert column_of(lead.get(URL).text) == [
        ("Research", "$10.00"),
        ("2 more", "$5.00"),
        ("Total", "$15.00"),
    ]


def test_the_number_of_queries_does_not_depend_on_the_number_of_workspaces(
    lead, spendings, reported, workspace
):
    reported({(FIRST, "research"): "10", (FIRST, "production"): "5"})

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            lead.get(URL)
        return len(captured)

    before = queries()
    for n in range(30):
        more = Workspace.objects.create(
            name=f"W{n}", slug=f"w{n}", base_url="http://sandbox", api_key="x"
        )
        more.members.set(workspace.members.all())
        spent(more, FIRST, used(input=1))

    assert queries() == before


def test_the_comparison_has_the_days_amounts_of_the_other_tables(lead, workspace, reported):
    # One of the three days is rounded down, so that they add up to $1.01.
    days = [date(2026, 10, day) for day in (1, 2, 3)]
    for day in days:
        spent(workspace, day, used(input=0.335))
    reported({(days[0], "research"): "0.335", (days[1], "research"): "0.335"})

    page = lead.get(URL, OCTOBER).text

    by_day = {row[0]: row[1] for row in table(page, "Spend by UTC day")[1:]}
    shown = [by_day[name] for name in ("Thu 1 Oct", "Fri 2 Oct", "Sat 3 Oct")]
    assert sorted(shown) == ["$0.33", "$0.34", "$0.34"]
    section = words_of_section(page, "report")
    assert f"2 Oct 2026 {shown[1]} 1 Oct 2026 {shown[0]}" in section
    assert f"3 Oct 2026 {shown[2]} $0.00 −{shown[2]}" in section
