"""The FOCUS 1.2 export of a month: its address, its columns, and what the page says of it.

The columns follow the FinOps Open Cost and Usage Specification, version 1.2
(https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec/tree/v1.2/specification/columns).
`ListCost` and `ContractedCost` are at the standard price: Batchboard knows of no contract.
`BilledCost` and `EffectiveCost` are at the price of a batch. All four are Batchboard's own
figures, computed from results; no invoice was read.
"""

import calendar
import json
import re
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
from dashboard.spend.address import EARLIEST, Spending
from dashboard.spend.tables import Tables

MONTH = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])")
ANTHROPIC = "Anthropic"
METERS = {
    "input_tokens": "Input Tokens",
    "output_tokens": "Output Tokens",
    "cache_write_5m_tokens": "Cache Write Tokens, 5 Minutes",
    "cache_write_1h_tokens": "Cache Write Tokens, 1 Hour",
    "cache_read_tokens": "Cache Read Tokens",
    "web_searches": "Web Searches",
}
# A month's figures are of all models, labels and owners.
NARROWING = ("model", "label", "owner", "canceled")


class BadExport(ValueError):
    """The address asks for no export that there is. Fit to show a person."""


@dataclass(frozen=True, slots=True)
class Export:
    """What the address asks for."""

    period: Period
    asked_for: Sequence[Workspace]
    # The filters of the address.
    chosen: Mapping[str, str]

    @property
    def file_name(self) -> str:
        return f"focus-{self.period.since:%Y-%m}.csv"

    def rows(self) -> Iterator[list[Any]]:
        """A row for each charge, in the order of FOCUS_COLUMNS, read while they are taken."""
        by_key = {workspace.pk: workspace for workspace in self.asked_for}
        question = Question(
            workspaces=list(by_key),
            period=self.period,
            has_twins=any(workspace.has_twins for workspace in self.asked_for),
        )
        for charge in charges(question):
            workspace = by_key[charge.workspace_id]
            yield [column(charge, workspace) for column in FOCUS_COLUMNS.values()]


def read_export(query: QueryDict, workspaces: Iterable[Workspace], today: date) -> Export:
    """One UTC month, the present one unless `month` names another, of one workspace or all.

    Raises BadExport for anything else: nobody is to take a file for what it isn't.
    """
    unknown = set(query) - {"month", "workspace", "bom"}
    if unknown:
        raise BadExport(
            f"“{min(unknown)[:40]}” does not narrow this export down. It takes month, workspace "
            "and bom."
        )
    slug = query.get("workspace")
    wanted = [each for each in workspaces if slug in {None, each.slug}]
    if slug is not None and not wanted:
        raise BadExport(f"Workspace: there is no “{slug[:60]}” to choose.")
    period = read_month(query.get("month"), today)
    return Export(period, wanted, {} if slug is None else {"workspace": slug})


def read_month(given: str | None, today: date) -> Period:
    """Raises BadExport for what is no month, and for one before the API or yet to come."""
    if given is None:
        return month_of(today)
    if not MONTH.fullmatch(given):
        raise BadExport(f"Month: “{given[:40]}” is not a month such as 2026-11.")
    first = date.fromisoformat(f"{given}-01")
    if first > today:
        raise BadExport(f"Month: {given} is yet to come.")
    if first < EARLIEST:
        raise BadExport(f"Month: {given} is before there were any batches.")
    return month_of(first)


def month_of(day: date) -> Period:
    """The whole UTC month."""
    _, length = calendar.monthrange(day.year, day.month)
    return Period(day.replace(day=1), day.replace(day=length))


def focus_context(asked: Spending, tables: Tables) -> dict[str, Any]:
    """What `spend/_focus.html` shows: the link and what the file leaves out.

    Only where the page is of the same month, so that the counts are the page's own; elsewhere
    there is a link to the month's page.
    """
    month = month_of(asked.period.until)
    shown = Period(month.since, min(month.until, asked.today))
    words = f"{month.since:%B %Y}"
    if asked.period != shown or any(name in asked.chosen for name in NARROWING):
        unfiltered = dict.fromkeys(NARROWING)
        href = asked.address(since=shown.since, until=shown.until, **unfiltered)
        return {"month": words, "page_href": href}
    return {"month": words, "href": _href(month, asked), "left_out": tables.left_out}


def _href(month: Period, asked: Spending) -> str:
    query = {"month": f"{month.since:%Y-%m}"}
    if "workspace" in asked.chosen:
        query["workspace"] = asked.chosen["workspace"]
    return f"{reverse('spend-focus')}?{urlencode(query)}"


def moment(day: date) -> str:
    """The beginning of a UTC day, as FOCUS writes moments."""
    return f"{day}T00:00:00Z"


def account(workspace: Workspace) -> str:
    """The workspace's ID at Anthropic; until an answer has named it, its name in addresses."""
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
    """Names the row of the price table, and what else the price depends on."""
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
    "BillingAccountId": lambda _, workspace: account(workspace),
    "BillingAccountName": lambda *_: None,
    "BillingCurrency": lambda *_: "USD",
    "BillingPeriodEnd": lambda charge, _: moment(month_of(charge.day).until + timedelta(days=1)),
    "BillingPeriodStart": lambda charge, _: moment(charge.day.replace(day=1)),
    "ChargeCategory": lambda *_: "Usage",
    "ChargeClass": lambda *_: None,
    "ChargeDescription": lambda charge, _: description(charge),
    "ChargeFrequency": lambda *_: "Usage-Based",
    "ChargePeriodEnd": lambda charge, _: moment(charge.day + timedelta(days=1)),
    "ChargePeriodStart": lambda charge, _: moment(charge.day),
    "ConsumedQuantity": lambda charge, _: charge.quantity,
    "ConsumedUnit": lambda charge, _: consumed_unit(charge),
    "ContractedCost": lambda charge, _: charge.list_cost,
    "ContractedUnitPrice": lambda charge, _: charge.list_price,
    "EffectiveCost": lambda charge, _: charge.billed_cost,
    "InvoiceId": lambda *_: None,
    "InvoiceIssuerName": lambda *_: ANTHROPIC,
    "ListCost": lambda charge, _: charge.list_cost,
    "ListUnitPrice": lambda charge, _: charge.list_price,
    "PricingCategory": lambda *_: "Standard",
    "PricingQuantity": lambda charge, _: charge.pricing_quantity,
    "PricingUnit": lambda charge, _: pricing_unit(charge),
    "ProviderName": lambda *_: ANTHROPIC,
    "PublisherName": lambda *_: ANTHROPIC,
    "RegionId": lambda charge, _: region(charge),
    "RegionName": lambda charge, _: "United States" if region(charge) else None,
    "ServiceCategory": lambda *_: "AI and Machine Learning",
    "ServiceName": lambda *_: "Message Batches API",
    "ServiceSubcategory": lambda *_: "Generative AI",
    "SkuId": lambda charge, _: sku(charge),
    "SkuMeter": lambda charge, _: METERS[charge.name],
    "SkuPriceDetails": lambda charge, _: price_details(charge),
    "SkuPriceId": lambda charge, _: sku_price(charge),
    "SubAccountId": lambda _, workspace: account(workspace),
    "SubAccountName": lambda _, workspace: workspace.name,
    "Tags": lambda charge, _: tags(charge),
    "x_BilledUnitPrice": lambda charge, _: charge.billed_price,
    "x_Discount": lambda charge, _: discount(charge),
    "x_Model": lambda charge, _: charge.model,
}
