"""The spend page as a team lead sees it, on 24 November 2026."""

import html
import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest

from batches.pricing import load_prices
from batches.resubmit import link
from dashboard.spend.address import GROUPS
from tests.dashboard.reading import links, table, words_of
from tests.spend_world import spent, used

pytestmark = pytest.mark.usefixtures("november")
URL = "/spend/"
FIRST, LATE = date(2026, 11, 2), date(2026, 11, 12)


def test_the_tiles_show_the_total_and_what_is_not_included(lead, spendings):
    page = lead.get(URL).text

    assert "1–24 Nov 2026 (UTC) $26.50 so far, from 4 batches’ results" in words_of(page, "total")
    assert words_of(page, "change") == (
        "Period before: 8–31 Oct 2026 $20.00"
        " No comparison: 8–31 Oct 2026 isn’t complete: 1 not read yet"
    )
    assert (
        "$26.50 against $53.00 at standard prices: batch tokens cost half; web searches full price"
        in words_of(page, "saved")
    )
    assert words_of(page, "left-out") == (
        "Not included 5 batches 1 running · 1 not read yet · 1 unreadable · 1 lost"
        " · 1 with an unpriced model"
    )
    assert "UTC day on which it was created" in page
    assert "1 model has no price" in page


def test_a_group_row_has_all_of_its_figures(lead, spendings):
    rows = table(lead.get(URL, {"group": "workspace"}).text, "Spend by workspace")

    assert rows == [
        ["Workspace", "Batches", "Billed requests", "Cost", "Share", "Saving", "Not included"],
        ["Research", "5", "27", "$16.50", "62.3%", "$16.50",
         "1 running · 1 lost · 1 with an unpriced model"],
        ["Production", "3", "10", "$10.00", "37.7%", "$10.00", "1 not read yet · 1 unreadable"],
        ["Total", "8", "37", "$26.50", "", "$26.50",
         "1 running · 1 not read yet · 1 unreadable · 1 lost · 1 with an unpriced model"],
    ]  # fmt: skip


def test_the_days_are_a_table_with_the_charts_figures(lead, spendings):
    page = lead.get(URL).text

    rows = table(page, "Spend by UTC day")
    assert rows[0] == ["Day (UTC)", "Total", "Not included", "large", "small"]
    assert rows[2] == ["Mon 2 Nov", "$16.50", "1 not read yet · 1 unreadable", "$11.00", "$5.50"]
    assert rows[3] == ["Tue 3 Nov", "$0.00", "", "–", "–"]
    assert rows[24][0] == "Tue 24 Nov so far"
    assert rows[25][:2] == ["Total", "$26.50"]
    assert rows[25][3:] == ["$21.00", "$5.50"]
    assert len(rows) == 1 + 24 + 1
    assert (
        'aria-label="2 Nov: $16.50 so far; large $11.00; small $5.50;'
        ' not included: 1 not read yet · 1 unreadable"' in page
    )
    assert 'aria-label="3 Nov: $0.00"' in page


def test_the_charts_cards_have_the_figures_of_the_days(lead, spendings):
    page = lead.get(URL).text

    [text] = re.findall(r'<script id="chart-days"[^>]*>(.*?)</script>', page, re.DOTALL)
    data = json.loads(text)
    assert data["series"] == {"1": "large", "2": "small"}
    assert len(data["days"]) == 24
    assert data["days"][1] == {
        "name": "Mon 2 Nov 2026",
        "total": "$16.50 so far",
        "parts": [["1", "$11.00"], ["2", "$5.50"]],
        "missing": "1 not read yet · 1 unreadable",
    }


@pytest.mark.parametrize(("days", "scrolls"), [(35, False), (36, True)])
def test_up_to_35_days_are_shown_without_an_inner_scroll(lead, spendings, days, scrolls):
    since = date(2026, 11, 24) - timedelta(days - 1)

    page = lead.get(URL, {"since": since, "until": "2026-11-24"}).text

    assert ("days-scroll-long" in page) == scrolls
    assert (f"{days} days: the table below scrolls." in page) == scrolls


def test_token_classes_and_searches_are_listed_separately(lead, workspace):
    spent(workspace, FIRST, used(input=2, cache_write_5m=1, web_searches=30))

    rows = table(lead.get(URL).text, "Tokens and web searches")

    assert ["Input", "2,000,000", "$2.00"] in rows
    assert ["Cache write, 5 minutes", "1,000,000", "$1.25"] in rows
    assert ["Web searches full price, per search", "30", "$0.30"] in rows
    assert rows[-1] == ["Total", "", "$3.55"]


@pytest.mark.parametrize("group", GROUPS)
def test_every_figure_links_to_exactly_its_batches(lead, spendings, group):
    page = lead.get(URL, {"group": group}).text
    batches = [(words, href) for words, href in links(page) if href.startswith("/?")]
    batches = [(words, href) for words, href in batches if words[0].isdigit()]

    assert len(batches) > 15
    for words, href in batches:
        listed = lead.get(href).text.count("<article")
        assert words.startswith(f"{listed} ") or words == str(listed), (words, href)


@pytest.mark.parametrize(("stack", "parts"), [("model", 3), ("workspace", 2)])
def test_a_days_figure_links_to_its_day_and_series(lead, spendings, stack, parts):
    page = lead.get(URL, {"stack": stack}).text
    figures = [
        (words, href)
        for words, href in links(page.partition("days-table")[2].partition("</table>")[0])
        if words.startswith("$")
    ]

    assert len(figures) == parts
    for words, href in figures:
        assert words in words_of(lead.get(href).text, "total")


def test_a_group_links_to_its_own_page_with_another_grouping(lead, spendings):
    page = lead.get(URL, {"group": "label", "since": "2026-11-01", "until": "2026-11-20"}).text

    [href] = [href for words, href in links(page) if words == "nightly"]

    assert href == "/spend/?since=2026-11-01&until=2026-11-20&group=workspace&label=nightly"
    assert "$15.50" in words_of(lead.get(href).text, "total")


def test_batches_without_a_label_have_an_address(lead, spendings):
    page = lead.get(URL, {"label": "(none)"}).text

    assert "$11.00" in words_of(page, "total")
    assert "from 2 batches’ results" in words_of(page, "total")


def test_with_one_model_chosen_unread_batches_are_still_counted(lead, spendings):
    page = lead.get(URL, {"model": "small"}).text

    assert "$5.50 so far, from 1 batch’s results" in words_of(page, "total")
    assert "1 running · 1 not read yet · 1 unreadable · 1 lost" in words_of(page, "left-out")
    assert "Counts cover all models (except “unpriced”)" in words_of(page, "left-out")


def test_an_unread_batch_costs_an_unknown_amount(lead, workspace):
    spent(workspace, FIRST, results_state="pending")

    page = lead.get(URL).text

    assert "unknown so far" in words_of(page, "total")
    assert "No comparison: 1–24 Nov 2026 isn’t over" in words_of(page, "change")
    assert "not known yet" in words_of(page, "saved")
    assert "so there is no chart" in page


def test_results_about_to_expire_are_listed_whatever_the_period(lead, workspace, monkeypatch):
    monkeypatch.setattr("dashboard.spend.views.MOST_EXPIRING", 1)
    first = spent(workspace, datetime(2026, 10, 27, 15, tzinfo=UTC), results_state="pending")
    spent(workspace, datetime(2026, 10, 28, 15, tzinfo=UTC), results_state="unreadable")

    page = lead.get(URL).text

    [row] = table(page, "Batches whose results have not been read")[1:]
    assert row == ["000001", "Research", "–", "results not read yet", "in 1 d 0 h"]
    assert first.get_absolute_url() in page
    assert "The first 1 of 2 are shown." in page


def test_a_long_table_of_groups_folds_its_end(lead, workspace, monkeypatch):
    monkeypatch.setattr("dashboard.spend.views.FEW_GROUPS", 2)
    for n in range(4):
        spent(workspace, FIRST, used(input=n + 1), label=f"label {n}")

    page = lead.get(URL, {"group": "label"}).text

    names = [(row[0], row[3]) for row in table(page, "Spend by label")[1:]]
    assert names == [
        ("label 3", "$4.00"),
        ("label 2", "$3.00"),
        ("2 more", "$3.00"),
        ("Total", "$10.00"),
    ]
    [href] = [href for words, href in links(page) if words == "2 more"]
    assert len(table(lead.get(href).text, "Spend by label")) == 1 + 4 + 1


def test_one_group_is_never_folded_alone(lead, workspace, monkeypatch):
    monkeypatch.setattr("dashboard.spend.views.FEW_GROUPS", 2)
    for n in range(3):
        spent(workspace, FIRST, used(input=n + 1), label=f"label {n}")

    page = lead.get(URL, {"group": "label"}).text

    assert len(table(page, "Spend by label")) == 1 + 3 + 1


def test_ten_models_share_six_colors_and_five_columns(lead, workspace):
    for n in range(10):
        spent(workspace, FIRST, used(model=f"large-2026010{n}", input=10 - n))

    page = lead.get(URL).text

    marks = set(re.findall(r'<rect class="series"\s+data-series="(\w+)"', page))
    assert marks == {"1", "2", "3", "4", "5", "others"}
    assert "5 others" in page
    header, *_, total = table(page, "Spend by UTC day")
    assert header[3:] == [*(f"large-2026010{n}" for n in range(4)), "6 others"]
    # $10 for a million tokens: 10 + 9 + 8 + 7, and 6 + 5 + 4 + 3 + 2 + 1.
    assert total[3:] == ["$100.00", "$90.00", "$80.00", "$70.00", "$210.00"]


def test_unpriced_models_are_one_sentence_with_their_number(lead, workspace):
    for n in range(33):
        spent(workspace, FIRST, used(model=f"new-{n}"))

    page = lead.get(URL).text

    notice = page.partition('id="unpriced"')[2].partition("</details>")[0]
    summary, _, details = notice.partition("</summary>")
    words = " ".join(re.sub("<[^>]+>", " ", summary.partition(">")[2]).split())
    assert words.startswith("33 models have no price (33 batches)")
    assert len([words for words, _ in links(details) if "new-" in words]) == 33
    assert "BATCHBOARD_PRICES" in details


def test_the_lines_that_add_a_price_are_a_valid_price_file(lead, workspace, tmp_path):
    spent(workspace, FIRST, used(model="new"))

    page = lead.get(URL).text

    lines = html.unescape(re.findall(r"<pre>(.*?)</pre>", page, re.DOTALL)[0])
    file = tmp_path / "prices.toml"
    file.write_text(lines.replace('""', '"1"'), encoding="utf-8")
    [price] = [price for price in load_prices(file).prices if price.model == "new"]
    assert price.effective_from == date(2026, 11, 1)


def test_hostile_names_are_text(lead, workspace):
    evil = "<script>alert(1)</script>"
    spent(workspace, FIRST, used(model="small"), label=evil, owner=evil)
    spent(workspace, FIRST, used(model=evil))

    for group in ("label", "owner", "model"):
        assert evil not in lead.get(URL, {"group": group}).text


def test_with_an_admin_key_the_page_shows_anthropics_cost_report(lead, spendings, settings):
    assert "Compared with Anthropic’s cost report" not in lead.get(URL).text

    settings.ANTHROPIC_ADMIN_KEY = "sk-ant-admin01-x"

    assert "Compared with Anthropic’s cost report" in lead.get(URL).text


@pytest.mark.parametrize(
    ("group", "queries"),
    [("workspace", 10), ("model", 12), ("label", 11), ("owner", 11), ("canceled", 10)],
)
def test_the_number_of_queries_does_not_depend_on_the_number_of_batches(
    lead, spendings, workspace, group, queries, django_assert_num_queries
):
    for n in range(40):
        spent(workspace, FIRST, used(input=1), label=f"label {n}")

    with django_assert_num_queries(queries):
        lead.get(URL, {"group": group})


def test_what_batches_cost_that_send_requests_again_is_said(lead, spendings, workspace, person):
    assert 'id="retries"' not in lead.get(URL).text
    old = spent(workspace, FIRST, used(input=1))
    new = spent(workspace, FIRST + timedelta(days=1), used(input=3))
    link(new, old, actor=person("operator", name="olga"), address="")

    said = lead.get(URL).text.partition('id="retries">')[2].partition("</p>")[0]

    # Three million tokens at half of $2.
    assert (
        " ".join(said.split())
        == "$3.00 of this is for 1 batch that sends requests of earlier batches again."
    )
    assert 'id="retries"' not in lead.get(URL, {"until": FIRST.isoformat()}).text
