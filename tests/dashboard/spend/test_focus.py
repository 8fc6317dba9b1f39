"""The FOCUS export of a month, checked against the published rules of its columns."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from batches.models import Workspace
from batches.pricing import load_prices
from tests.dashboard.reading import csv_table, links, words_of_section
from tests.dashboard.spend.focus_rules import PUBLISHED
from tests.spend_world import spent, used

pytestmark = pytest.mark.usefixtures("november")
URL = "/spend/focus.csv"
FIRST = date(2026, 11, 2)


@pytest.fixture
def export(lead):
    """A function that reads an export: its rows as dictionaries."""

    def export(**query) -> list[dict[str, str]]:
        answer = lead.get(URL, query)
        assert answer.status_code == 200
        return csv_table(answer)

    return export


@pytest.fixture
def rows(export, workspace, other_workspace) -> list[dict[str, str]]:
    """An export with every kind of row."""
    spent(
        workspace,
        FIRST,
        used(input=1.5, output=0.25, cache_write_5m=0.1, cache_write_1h=0.01, cache_read=3),
        used(model="large", input=0.000001, web_searches=3, inference_geo="us"),
        label="nightly",
        owner="ada",
    )
    spent(other_workspace, date(2026, 11, 30), used(model="small-20260101", output=7))
    rows = export()
    assert len(rows) == 8
    return rows


def download(page: str) -> str:
    [href] = [href for words, href in links(page) if "November 2026 as FOCUS CSV" in words]
    return href


@pytest.mark.parametrize("column", PUBLISHED)
def test_each_column_is_as_published(rows, column):
    rule = PUBLISHED[column]

    values = {row[column] for row in rows}

    assert [value for value in values if value and not re.fullmatch(rule.form, value)] == []
    assert rule.may_be_null or "" not in values


def test_custom_columns_come_last_and_are_marked(rows):
    columns = list(rows[0])
    custom = [column for column in columns if column not in PUBLISHED]

    assert custom == columns[len(PUBLISHED) :]
    assert all(column.startswith("x_") for column in custom)
    assert columns == sorted(columns)


@pytest.fixture
def at_built_in_prices(export, workspace, settings) -> list[dict[str, str]]:
    """Five to nine tokens of each class, of every model in the built-in table."""
    settings.BATCHBOARD_PRICE_TABLE = load_prices()
    models = {price.model for price in settings.BATCHBOARD_PRICE_TABLE.prices}
    names = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")
    tokens = {name: f"0.00000{count}" for count, name in enumerate(names, start=5)}
    # All prompts are short, so that each model has one price.
    usage = {"prompt_up_to": 100_000, "inference_geo": "us"}
    spent(workspace, FIRST, *(used(model=model, **tokens, **usage) for model in sorted(models)))
    return export()


@pytest.mark.parametrize("world", ["rows", "at_built_in_prices"])
def test_costs_are_quantity_times_price_without_rounding(request, db, world):
    rows = request.getfixturevalue(world)

    assert len(rows) >= 8
    for row in rows:
        figures = {name: Decimal(row[name]) for name in row if name.endswith(("Cost", "Price"))}
        quantity = Decimal(row["PricingQuantity"])
        assert quantity * figures["ListUnitPrice"] == figures["ListCost"]
        assert quantity * figures["ContractedUnitPrice"] == figures["ContractedCost"]
        assert quantity * figures["x_BilledUnitPrice"] == figures["BilledCost"]
        assert figures["EffectiveCost"] == figures["BilledCost"]


def test_prices_in_the_us_are_a_tenth_higher_to_the_last_decimal(at_built_in_prices):
    [row] = [
        row
        for row in at_built_in_prices
        if row["SkuId"] == "claude-haiku-5-5/cache_write_5m_tokens"
    ]

    # 7 tokens at $0.125 a million, 10% more in the US; half price in a batch.
    assert row["ListUnitPrice"] == "0.1375"
    assert row["ListCost"] == "0.0000009625"
    assert row["BilledCost"] == "0.00000048125"


def test_the_pricing_quantity_is_the_consumed_one_in_the_pricing_unit(rows):
    for row in rows:
        per, unit = row["PricingUnit"].split()
        assert Decimal(row["PricingQuantity"]) * int(per) == int(row["ConsumedQuantity"])
        assert unit == row["ConsumedUnit"]


def test_charge_periods_are_within_billing_periods_and_ends_are_exclusive(rows):
    for row in rows:
        assert row["BillingPeriodStart"] == "2026-11-01T00:00:00Z"
        assert row["BillingPeriodEnd"] == "2026-12-01T00:00:00Z"
    days = {(row["ChargePeriodStart"], row["ChargePeriodEnd"]) for row in rows}
    assert days == {
        ("2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"),
        ("2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z"),
    }


def test_a_price_has_one_sku_and_one_set_of_details(rows):
    skus = {(row["SkuPriceId"], row["SkuId"], row["SkuMeter"]) for row in rows}
    prices = {(row["SkuPriceId"], row["ListUnitPrice"], row["SkuPriceDetails"]) for row in rows}

    assert len(skus) == len(prices) == len({row["SkuPriceId"] for row in rows})


def test_key_values_are_flat_json_and_custom_keys_have_a_prefix(rows):
    for row in rows:
        details = json.loads(row["SkuPriceDetails"])
        assert all(name.startswith("x_") for name in details)
        tags = json.loads(row["Tags"]) if row["Tags"] else {}
        for value in (*details.values(), *tags.values()):
            assert isinstance(value, str | int | float)


def test_a_row_has_the_figures_of_its_day_price_and_class(rows):
    [searches] = [row for row in rows if row["SkuMeter"] == "Web Searches"]
    [tokens] = [row for row in rows if row["SkuPriceId"].endswith("/us")]
    [dated] = [row for row in rows if row["SubAccountName"] == "Production"]

    # $10 for 1,000 in every geography, without a discount.
    assert (
        searches
        | {
            "PricingQuantity": "0.003",
            "ListCost": "0.03",
            "BilledCost": "0.03",
            "x_Discount": "",
            "SkuPriceId": "large/web_searches/from-2026-01-01",
        }
        == searches
    )
    # One token at $20 a million, 10% more in the US, half price in a batch.
    assert (
        tokens
        | {
            "ConsumedQuantity": "1",
            "PricingQuantity": "0.000001",
            "ListUnitPrice": "22",
            "ListCost": "0.000022",
            "BilledCost": "0.000011",
            "RegionId": "us",
            "Tags": '{"label": "nightly", "owner": "ada"}',
            "x_Discount": "Message Batches",
        }
        == tokens
    )
    # Priced as the model without a date.
    assert (
        dated
        | {
            "SkuId": "small/output_tokens",
            "x_Model": "small-20260101",
            "ListCost": "70",
            "BilledCost": "35",
            "Tags": "",
        }
        == dated
    )


def test_the_accounts_have_anthropics_id_of_the_workspace(export, workspace):
    Workspace.objects.filter(pk=workspace.pk).update(api_workspace_id="wrkspc_01")
    spent(workspace, FIRST, used(input=1))

    [row] = export()

    assert row["SubAccountId"] == row["BillingAccountId"] == "wrkspc_01"
    assert row["SubAccountName"] == "Research"


def test_each_price_step_by_prompt_size_is_a_separate_price(export, workspace, settings):
    settings.BATCHBOARD_PRICE_TABLE = load_prices()
    haiku = {"model": "claude-haiku-5-5", "input": 1}
    spent(
        workspace,
        FIRST,
        used(**haiku, prompt_up_to=100_000),
        used(**haiku, prompt_over=100_000, prompt_up_to=200_000),
    )
    # Of another batch, and in a bracket that has the same price.
    spent(workspace, FIRST, used(**haiku, prompt_over=200_000))

    rows = export()

    assert [(row["ConsumedQuantity"], row["ListUnitPrice"], row["ListCost"]) for row in rows] == [
        ("1000000", "0.1", "0.1"),
        ("2000000", "0.5", "1"),
    ]
    assert json.loads(rows[1]["SkuPriceDetails"])["x_PromptTokensOver"] == 100_000


def test_the_billed_cost_equals_the_page(lead, spendings, export):
    rows = export(month="2026-11")

    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal("26.50")
    assert sum(Decimal(row["ListCost"]) for row in rows) == Decimal("53.00")


def test_other_months_and_workspaces_are_excluded(export, spendings):
    assert {row["ChargePeriodStart"][:10] for row in export(month="2026-10")} == {"2026-10-31"}
    assert {row["SubAccountName"] for row in export(workspace="production")} == {"Production"}
    assert export(month="2026-09") == []


def test_a_workspace_of_another_team_is_excluded_and_unknown(sign_in, workspace, spendings):
    browser = sign_in("lead", workspace, name="ada")

    assert b"Production" not in browser.get(URL).getvalue()
    assert browser.get(URL, {"workspace": "production"}).status_code == 400


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("operator", 403), ("lead", 200)])
def test_it_is_for_leads(sign_in, role, status):
    assert sign_in(role).get(URL).status_code == status


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"month": "2026-13"}, "Month: “2026-13” is not a month such as 2026-11."),
        ({"month": "2026-1"}, "is not a month"),
        ({"month": "٢٠٢٦-١١"}, "is not a month"),
        ({"month": ""}, "is not a month"),
        ({"month": "9" * 5_000}, "is not a month"),
        ({"month": "2026-12"}, "Month: 2026-12 is in the future."),
        ({"month": "2023-12"}, "is before there were any batches"),
        ({"workspace": "nowhere"}, "Workspace: “nowhere” is not a valid value."),
        ({"workspace": ""}, "Workspace: “” is not a valid value."),
        ({"bom": "2"}, "is neither 0 nor 1"),
        ({"label": "nightly"}, "“label” is not a filter of this export."),
        ({"<b>": "1"}, "is not a filter of this export"),
    ],
)
def test_an_invalid_address_is_refused_with_a_sentence(lead, spendings, query, sentence):
    answer = lead.get(URL, query)

    assert answer.status_code == 400
    assert sentence in answer.text
    assert "<b>" not in answer.text


def test_the_byte_order_mark_is_optional(lead, spendings):
    with_bom = lead.get(URL).getvalue()
    without = lead.get(URL, {"bom": "0"}).getvalue()

    assert with_bom == b"\xef\xbb\xbf" + without
    assert without.startswith(b"BilledCost,")


def test_the_file_is_named_for_its_month(lead):
    answer = lead.get(URL, {"month": "2026-10"})

    assert answer["Content-Disposition"] == 'attachment; filename="focus-2026-10.csv"'
    assert answer["Cache-Control"] == "private, no-store"


def test_labels_cannot_become_formulas(export, workspace):
    spent(workspace, FIRST, used(input=1), label="x;=cmd|'/C calc'!A0", owner='"=1')

    [row] = export()

    assert json.loads(row["Tags"]) == {"label": "x;'=cmd|'/C calc'!A0", "owner": '"=1'}


def test_a_batch_that_two_workspaces_mirror_is_billed_once(export, workspace, other_workspace):
    first = spent(workspace, FIRST, used(input=1))
    spent(other_workspace, FIRST, used(input=1), api_id=first.api_id, twin_of=workspace.pk)
    Workspace.objects.update(has_twins=True)

    assert len(export()) == 1


def test_it_takes_one_query_a_day(lead, spendings, django_assert_num_queries):
    # Session, person, workspaces; for each of the two a look-up and an audit event; and the days
    # of October.
    with django_assert_num_queries(3 + 2 * 2 + 31):
        lead.get(URL, {"month": "2026-10"}).getvalue()


def test_the_page_counts_what_the_file_does_not_include(lead, spendings):
    page = lead.get("/spend/").text

    assert download(page) == f"{URL}?month=2026-11"
    assert (
        "Not included: 1 running · 1 not read yet · 1 unreadable · 1 lost"
        " · 1 with an unpriced model" in words_of_section(page, "focus")
    )
    assert "it is not an invoice" in words_of_section(page, "focus")


def test_the_page_says_that_nothing_is_missing(lead, workspace):
    spent(workspace, FIRST, used(input=1))

    assert "Not included: nothing" in words_of_section(lead.get("/spend/").text, "focus")


def test_the_page_of_one_workspace_leads_to_its_export(lead, spendings):
    page = lead.get("/spend/", {"workspace": "production"}).text

    assert download(page) == f"{URL}?month=2026-11&workspace=production"
    assert "Not included: 1 not read yet · 1 unreadable" in words_of_section(page, "focus")
    assert lead.get(download(page)).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"label": "nightly"},
        {"canceled": "no"},
        {"since": "2026-11-02"},
        {"since": "2026-10-26", "until": "2026-11-24"},
        {"until": "2026-11-12"},
    ],
)
def test_a_page_of_another_selection_leads_to_the_months_page(lead, spendings, query):
    page = lead.get("/spend/", query).text

    [href] = [href for words, href in links(page) if words == "Show November 2026"]

    assert "as FOCUS CSV" not in page
    assert href == "/spend/?month=2026-11"
    assert "November 2026 as FOCUS CSV" in lead.get(href).text


def test_the_last_day_of_a_month_is_in_utc(export, workspace):
    spent(workspace, datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), used(input=1))

    assert export() == []
    assert len(export(month="2026-10")) == 1
