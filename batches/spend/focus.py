"""A period's usage as charges, the rows of a FOCUS data set (focus.finops.org).

A charge covers one day, workspace, model, price, class of tokens, label and owner. Usage without a
price is in no charge.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

from django.conf import settings

from batches.models.usage import PRICED_BY
from batches.period import Period
from batches.pricing import CLASSES, EXACT, Price, PriceTable
from batches.pricing.table import CLASS_PRICES
from batches.spend.question import Question
from batches.spend.summing import PricedUsage, sum_usage

CHARGED_BY = ("workspace_id", "day", *PRICED_BY, "label", "owner")
# Columns of usage that a charge has as they are.
COPIED = ("workspace_id", "model", "inference_geo", "tier", "label", "owner")
# How many of each class the published price is for.
PER = {name: per for name, _, per in CLASS_PRICES}


class ChargeKey(NamedTuple):
    """What distinguishes the charges of a day; sorts as they are listed."""

    workspace_id: int
    model: str
    prompt_over: int
    inference_geo: str
    tier: str
    # The index in CLASSES.
    at: int
    label: str
    owner: str
    # US dollars for one token or search.
    standard: Decimal
    batch: Decimal


@dataclass(frozen=True, slots=True)
class Charge:
    """Exact US dollars; `quantity` counts tokens or searches, and prices are for `per` of them.

    `pricing_quantity` is `quantity` ÷ `per`: times a price, it is the cost without any rounding.
    """

    day: date
    workspace_id: int
    model: str
    inference_geo: str
    tier: str
    label: str
    owner: str
    price: Price
    # One of CLASSES.
    name: str
    quantity: int
    per: int
    pricing_quantity: Decimal
    list_price: Decimal
    billed_price: Decimal
    list_cost: Decimal
    billed_cost: Decimal


def charges(question: Question) -> Iterator[Charge]:
    """The period's charges, day by day.

    Each day is one query whose rows are all fetched, so no query stays open for a slow reader.
    """
    for day in question.period.days:
        yield from _charges_of(question, day)


def _charges_of(question: Question, day: date) -> list[Charge]:
    found: Counter[tuple[ChargeKey, Price]] = Counter()
    with localcontext(EXACT):
        for row in sum_usage(question.usage(Period(day, day)), CHARGED_BY):
            found.update(_by_key(row, day))
        ordered = sorted(found.items(), key=lambda item: item[0][0])
        return [_charge(day, key, price, quantity) for (key, price), quantity in ordered]


def _by_key(row: PricedUsage, day: date) -> dict[tuple[ChargeKey, Price], int]:
    """How much of each class a row used, by the charge that it is part of."""
    table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
    by = row.by
    bracket = {"prompt_over": by["prompt_over"], "prompt_up_to": by["prompt_up_to"]}
    price = table.price_of(by["model"], day, **bracket)
    if row.rates is None or price is None:
        return {}
    copied: dict[str, Any] = {name: by[name] for name in COPIED}
    used: dict[tuple[ChargeKey, Price], int] = {}
    for at, quantity in enumerate(row.quantities):
        if quantity:
            standard, batch = row.rates.standard[at], row.rates.batch[at]
            key = ChargeKey(
                prompt_over=price.prompt_over, at=at, standard=standard, batch=batch, **copied
            )
            used[key, price] = quantity
    return used


def _charge(day: date, key: ChargeKey, price: Price, quantity: int) -> Charge:
    name = CLASSES[key.at]
    copied: dict[str, Any] = {column: getattr(key, column) for column in COPIED}
    return Charge(
        **copied,
        day=day,
        price=price,
        name=name,
        quantity=quantity,
        per=PER[name],
        pricing_quantity=Decimal(quantity) / PER[name],
        list_price=key.standard * PER[name],
        billed_price=key.batch * PER[name],
        list_cost=key.standard * quantity,
        billed_cost=key.batch * quantity,
    )
