"""The FOCUS 1.2 export of a month: its address, its columns, and what the page says about it.

The columns follow the FinOps Open Cost and Usage Specification, version 1.2
(https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec/tree/v1.2/specification/columns).
`ListCost` and `ContractedCost` are at the standard price: Batchboard knows of no contract.
`BilledCost` and `EffectiveCost` are at the batch price. Batchboard computes all four from results;
it reads no invoice.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from batches.models import Workspace
from batches.period import Period
from batches.pricing import BATCH_TIER
from batches.pricing.table import MILLION
from batches.spend.focus import Charge, charges
from batches.spend.question import Question
from dashboard.exports import marked_as_demo
from dashboard.spend.address import FOLDED_FILTERS, Selection
from dashboard.spend.months import UnknownMonth, month_key, month_of, month_words, read_month
from dashboard.spend.tables import SpendTables

PROVIDER = "Anthropic"
METERS = {
    "input_tokens": "Input Tokens",
    "output_tokens": "Output Tokens",
    "cache_write_5m_tokens": "Cache Write Tokens, 5 Minutes",
    "cache_write_1h_tokens": "Cache Write Tokens, 1 Hour",
    "cache_read_tokens": "Cache Read Tokens",
    "web_searches": "Web Searches",
}


class ImpossibleExport(ValueError):
    """The address names no possible export. `str(error)` is fit to show a person."""


@dataclass(frozen=True, slots=True)
class FocusExport:
    """What the address selects."""

    period: Period
    workspaces: Sequence[Workspace]
    # The filters of the address.
    chosen: Mapping[str, str]

    @property
    def file_name(self) -> str:
        return f"{marked_as_demo('focus')}-{month_key(self.period)}.csv"

    def rows(self) -> Iterator[list[Any]]:
        """A row for each charge, in the order of FOCUS_COLUMNS, read as they are consumed."""
        by_key = {workspace.pk: workspace for workspace in self.workspaces}
        question = Question(
            workspaces=list(by_key),
            period=self.period,
            has_twins=any(workspace.has_twins for workspace in self.workspaces),
        )
        for charge in charges(question):
            workspace = by_key[charge.workspace_id]
            yield [column(charge, workspace) for column in FOCUS_COLUMNS.values()]


def read_export(query: QueryDict, workspaces: Iterable[Workspace], today: date) -> FocusExport:
    """One UTC month, the current one unless `month` names another, of one workspace or all.

    Raises ImpossibleExport for anything else, so that no one mistakes the file for another one.
    """
    unknown = set(query) - {"month", "workspace", "bom"}
    if unknown:
        raise ImpossibleExport(
            f"“{min(unknown)[:40]}” is not a filter of this export. It takes month, workspace "
            "and bom."
        )
    slug = query.get("workspace")
    wanted = [each for each in workspaces if slug in {None, each.slug}]
    if slug is not None and not wanted:
        raise ImpossibleExport(f"Workspace: “{slug[:60]}” is not a valid value.")
    month = query.get("month")
    try:
        period = month_of(today) if month is None else read_month(month, today)
    except UnknownMonth as error:
        raise ImpossibleExport(str(error)) from error
    return FocusExport(period, wanted, {} if slug is None else {"workspace": slug})


def focus_context(selection: Selection, tables: SpendTables) -> dict[str, Any]:
    """What `spend/_focus.html` shows: the link, and the batches that the file does not include.

    Only if the page shows the same month, as the counts are the page's; otherwise a link leads to
    the month's page.
    """
    month = selection.last_month
    words = month_words(month)
    if not selection.is_month or selection.has_more_filters:
        unfiltered = dict.fromkeys(FOLDED_FILTERS)
        href = selection.address(month=month_key(month), **unfiltered)
        return {"month": words, "page_href": href}
    return {
        "month": words,
        "href": _export_href(month, selection),
        "not_included": tables.not_included,
    }


def _export_href(month: Period, selection: Selection) -> str:
    query = {"month": month_key(month)}
    if "workspace" in selection.chosen:
        query["workspace"] = selection.chosen["workspace"]
    return f"{reverse('spend-focus')}?{urlencode(query)}"


def day_start(day: date) -> str:
    """The beginning of a UTC day, in FOCUS's format."""
    return f"{day}T00:00:00Z"


def account_id(workspace: Workspace) -> str:
    """Anthropic's ID for the workspace, or its slug until an answer has named the ID."""
    return workspace.api_workspace_id or workspace.slug


def pricing_unit(charge: Charge) -> str:
    return f"{charge.per} {consumed_unit(charge)}"


def consumed_unit(charge: Charge) -> str:
    return "Searches" if charge.name == "web_searches" else "Tokens"


def description(charge: Charge) -> str:
    return f"{METERS[charge.name]} of {charge.model} in Message Batches"


def region(charge: Charge) -> str | None:
    return "us" if charge.inference_geo == "us" else None


def sku(charge: Charge) -> str:
    return f"{charge.price.model}/{charge.name}"


def sku_price(charge: Charge) -> str:
    """The row of the price table, and everything else that the price depends on."""
    parts = [sku(charge), f"from-{charge.price.effective_from}"]
    if charge.price.prompt_over:
        parts.append(f"over-{charge.price.prompt_over}")
    if region(charge) and charge.per == MILLION:
        parts.append("us")
    return "/".join(parts)


def price_details(charge: Charge) -> str:
    """Key-value pairs; keys that FOCUS does not define begin with "x_"."""
    details: dict[str, Any] = {"x_EffectiveFrom": str(charge.price.effective_from)}
    if charge.price.prompt_over:
        details["x_PromptTokensOver"] = charge.price.prompt_over
    if charge.tier != BATCH_TIER:
        details["x_ServiceTier"] = charge.tier
    if region(charge) and charge.per == MILLION:
        details["x_InferenceGeo"] = "us"
    return json.dumps(details)


def tags(charge: Charge) -> str | None:
    given = {"label": charge.label, "owner": charge.owner}
    found = {name: value for name, value in given.items() if value}
    return json.dumps(found, ensure_ascii=False) if found else None


def discount(charge: Charge) -> str | None:
    """FOCUS has no column for a discount that is neither negotiated nor a commitment."""
    return "Message Batches" if charge.billed_price < charge.list_price else None


# In alphabetical order, FOCUS's own columns first. A null is an empty cell.
FOCUS_COLUMNS: dict[str, Callable[[Charge, Workspace], Any]] = {
    "BilledCost": lambda charge, _: charge.billed_cost,
    # Anthropic's API names the workspace of a key, but not the organization that pays.
    "BillingAccountId": lambda _, workspace: account_id(workspace),
    "BillingAccountName": lambda *_: None,
    "BillingCurrency": lambda *_: "USD",
    "BillingPeriodEnd": lambda charge, _: day_start(month_of(charge.day).until + timedelta(days=1)),
    "BillingPeriodStart": lambda charge, _: day_start(charge.day.replace(day=1)),
    "ChargeCategory": lambda *_: "Usage",
    "ChargeClass": lambda *_: None,
    "ChargeDescription": lambda charge, _: description(charge),
    "ChargeFrequency": lambda *_: "Usage-Based",
    "ChargePeriodEnd": lambda charge, _: day_start(charge.day + timedelta(days=1)),
    "ChargePeriodStart": lambda charge, _: day_start(charge.day),
    "ConsumedQuantity": lambda charge, _: charge.quantity,
    "ConsumedUnit": lambda charge, _: consumed_unit(charge),
    "ContractedCost": lambda charge, _: charge.list_cost,
    "ContractedUnitPrice": lambda charge, _: charge.list_price,
    "EffectiveCost": lambda charge, _: charge.billed_cost,
    "InvoiceId": lambda *_: None,
    "InvoiceIssuerName": lambda *_: PROVIDER,
    "ListCost": lambda charge, _: charge.list_cost,
    "ListUnitPrice": lambda charge, _: charge.list_price,
    "PricingCategory": lambda *_: "Standard",
    "PricingQuantity": lambda charge, _: charge.pricing_quantity,
    "PricingUnit": lambda charge, _: pricing_unit(charge),
    "ProviderName": lambda *_: PROVIDER,
    "PublisherName": lambda *_: PROVIDER,
    "RegionId": lambda charge, _: region(charge),
    "RegionName": lambda charge, _: "United States" if region(charge) else None,
    "ServiceCategory": lambda *_: "AI and Machine Learning",
    "ServiceName": lambda *_: "Message Batches API",
    "ServiceSubcategory": lambda *_: "Generative AI",
    "SkuId": lambda charge, _: sku(charge),
    "SkuMeter": lambda charge, _: METERS[charge.name],
    "SkuPriceDetails": lambda charge, _: price_details(charge),
    "SkuPriceId": lambda charge, _: sku_price(charge),
    "SubAccountId": lambda _, workspace: account_id(workspace),
    "SubAccountName": lambda _, workspace: workspace.name,
    "Tags": lambda charge, _: tags(charge),
    "x_BilledUnitPrice": lambda charge, _: charge.billed_price,
    "x_Discount": lambda charge, _: discount(charge),
    "x_Model": lambda charge, _: charge.model,
}
