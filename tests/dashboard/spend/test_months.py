"""A month as the page's period, the month before it, and a month for finance."""

import html
import re
from datetime import date

import pytest

from batches.models import Workspace
from batches.period import Period
from tests.dashboard.reading import csv_table, links, table, words_of
from tests.spend_world import spent, used

pytestmark = pytest.mark.usefixtures("november")
URL = "/spend/"


def month_options(page: str) -> list[tuple[str, str]]:
    """The value and the words of each choice; the one that is selected has an asterisk."""
    select = page.partition('<select id="month"')[2].partition("</select>")[0]
    found = re.findall(r'<option value="([^"]*)"( selected)?>([^<]*)<', select)
    return [(value, words + ("*" if selected else "")) for value, selected, words in found]


def print_head(page: str) -> str:
    head = page.partition('<div class="print-head">')[2].partition("</div>")[0]
    return " ".join(re.sub("<[^>]+>", "", html.unescape(head)).split())


def test_each_month_since_the_first_batch_can_be_chosen(lead, workspace):
    spent(workspace, date(2026, 9, 30), used(input=1))
    spent(workspace, date(2026, 11, 2), used(input=1))

    assert month_options(lead.get(URL, {"month": "2026-10"}).text) == [
        ("2026-11", "November 2026"),
        ("2026-10", "October 2026*"),
        ("2026-09", "September 2026"),
    ]
    assert month_options(lead.get(URL).text)[0] == ("2026-11", "November 2026*")
    assert month_options(lead.get(URL, {"since": "2026-11-02"}).text)[0] == ("", "Month")


def test_another_teams_batches_add_no_month(sign_in, workspace, other_workspace):
    spent(other_workspace, date(2026, 1, 1), used(input=1))

    options = month_options(sign_in("lead", workspace).get(URL).text)

    assert [value for value, _ in options] == ["2026-11"]


def test_a_month_is_all_of_its_days_up_to_today(lead, spendings):
    october = lead.get(URL, {"month": "2026-10"}).text
    november = lead.get(URL, {"month": "2026-11"}).text

    assert words_of(october, "total").startswith("1–31 Oct 2026 (UTC) $20.00")
    assert words_of(november, "total").startswith("1–24 Nov 2026 (UTC) $26.50")


def test_links_keep_the_month_and_choosing_days_drops_it(lead, spendings):
    page = lead.get(URL, {"month": "2026-10", "stack": "workspace"}).text

    found = dict(links(page))

    assert found["Owner"] == "/spend/?month=2026-10&group=owner&stack=workspace"
    assert "month" not in found["Last 7 days"]
    assert "stack=workspace" in found["Last 7 days"]
    assert '<input type="hidden" name="stack" value="workspace">' in page


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"month": "2026-13"}, "Month: “2026-13” is not a month such as 2026-11."),
        ({"month": "2026-12"}, "Month: 2026-12 is in the future."),
        ({"month": "2023-12"}, "Month: 2023-12 is before there were any batches."),
        ({"month": "2026-10", "since": "2026-11-02"}, "Since: a month was chosen, too."),
    ],
)
def test_an_impossible_month_is_named_and_gets_no_file(lead, spendings, query, sentence):
    page = lead.get(URL, query)

    assert page.status_code == 200
    assert f"{sentence} This filter was ignored." in html.unescape(page.text)
    assert lead.get("/spend.csv", query).status_code == 400


@pytest.mark.parametrize(
    ("since", "until", "before"),
    [
        (date(2026, 10, 1), date(2026, 10, 31), (date(2026, 9, 1), date(2026, 9, 30))),
        (date(2026, 3, 1), date(2026, 3, 31), (date(2026, 2, 1), date(2026, 2, 28))),
        (date(2026, 1, 1), date(2026, 1, 31), (date(2025, 12, 1), date(2025, 12, 31))),
        (date(2026, 10, 1), date(2026, 10, 30), (date(2026, 9, 1), date(2026, 9, 30))),
        (date(2026, 9, 1), date(2026, 10, 31), (date(2026, 7, 2), date(2026, 8, 31))),
    ],
)
def test_a_whole_month_follows_the_whole_month_before(since, until, before):
    assert Period(since, until).before == Period(*before)


def test_two_whole_months_are_compared(lead, workspace):
    # The last day of August is not of the month before, though a month has 31 days.
    spent(workspace, date(2026, 8, 31), used(input=100))
    spent(workspace, date(2026, 9, 1), used(input=10))
    spent(workspace, date(2026, 10, 31), used(input=12))

    page = lead.get(URL, {"month": "2026-10"}).text

    assert words_of(page, "change") == "Period before: 1–30 Sep 2026 $10.00 +20% since then"


def test_a_month_that_is_not_over_is_not_compared(lead, workspace):
    spent(workspace, date(2026, 10, 31), used(input=10))
    spent(workspace, date(2026, 11, 1), used(input=10))

    page = lead.get(URL, {"month": "2026-11"}).text

    assert "No comparison: 1–24 Nov 2026 isn’t over" in words_of(page, "change")


@pytest.mark.parametrize("query", [{}, {"label": "nightly", "since": "2026-11-12"}])
def test_one_press_leads_to_the_whole_month_for_finance(lead, spendings, query):
    page = lead.get(URL, query).text
    hrefs = {words.split("</svg>")[-1].strip(): href for words, href in links(page)}

    document = lead.get(hrefs["Print or PDF"]).text
    sheet = csv_table(lead.get(hrefs["CSV"]))

    assert "November 2026 for finance:" in page
    assert hrefs["Print or PDF"].endswith("#print")
    assert "$26.50" in words_of(document, "total")
    assert [row[0] for row in table(document, "Spend by workspace")][1:] == [
        *("Research", "Production", "Total")
    ]
    assert [(row["workspace"], row["cost (USD)"]) for row in sheet] == [
        ("Research", "16.5"),
        ("Production", "10"),
        ("(total)", "26.5"),
    ]


def test_the_printed_page_says_what_it_is(lead, spendings):
    page = lead.get(URL, {"label": "nightly"}).text

    assert print_head(page) == (
        "Batchboard · Spend 1–24 Nov 2026 (UTC)"
        " Production, Research · Label: nightly · printed 24 Nov 2026, 15:00 UTC by lead"
    )


def test_the_printed_page_names_the_chosen_workspace_only(lead, spendings):
    head = print_head(lead.get(URL, {"workspace": "production"}).text)

    assert "Production" in head
    assert "Research" not in head


def test_names_of_any_direction_and_length_are_isolated(lead, workspace):
    name = "תקציב " + "x" * 190
    Workspace.objects.filter(pk=workspace.pk).update(name="عربي 🚀")
    spent(workspace, date(2026, 11, 2), used(input=1), label=name)

    page = lead.get(URL, {"group": "label", "stack": "workspace"}).text

    assert f"<bdi>{name}</bdi>" in page
    assert page.count("<bdi>عربي 🚀</bdi>") >= 3


def test_a_demo_is_marked_on_paper_and_in_the_names_of_files(lead, spendings, settings):
    addresses = ("/spend.csv", "/spend/focus.csv?month=2026-10")
    names = [lead.get(address)["Content-Disposition"] for address in addresses]
    settings.IS_DEMO = True

    assert print_head(lead.get(URL).text).startswith(
        "Batchboard · Spend 1–24 Nov 2026 (UTC) · Demo data"
    )
    assert [lead.get(address)["Content-Disposition"] for address in addresses] == [
        'attachment; filename="demo-spend-groups-2026-11-01-to-2026-11-24.csv"',
        'attachment; filename="demo-focus-2026-10.csv"',
    ]
    assert not any("demo" in name for name in names)
