"""Usage rows summed by the database, and what the sums cost."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import BigIntegerField, QuerySet, Sum, Value
from django.db.models.functions import Cast

from batches.models import BatchUsage
from batches.models.usage import TOKEN_CLASSES
from batches.pricing import Cost, PriceTable, Quantities

# As Quantities has them.
CLASSES = (*TOKEN_CLASSES, "web_searches")
ONE_OF_EACH = Quantities(1, 1, 1, 1, 1, 1)
ZERO = Decimal(0)
NONE = Value(0, output_field=BigIntegerField())


class Rates(NamedTuple):
    """What one of each class costs in USD, as a batch and had it not been one."""

    batch: tuple[Decimal, ...]
    standard: tuple[Decimal, ...]


class PricedUsage(NamedTuple):
    """What requests alike in every column of `by` used; no rates where no price is known."""

    by: Mapping[str, Any]
    requests: int
    quantities: Sequence[int]
    rates: Rates | None
    # USD; zero without rates, where the cost is unknown.
    cost: Decimal
    standard: Decimal


class Pricing:
    """Finds the rates of sums, each price's once: a page needs thousands at a handful of prices."""

    def __init__(self) -> None:
        self._table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
        self._rates: dict[tuple[int, str, str], Rates | None] = {}

    def rates(self, by: Mapping[str, Any], day: date) -> Rates | None:
        """None where the table knows no price."""
        bracket = {"prompt_over": by["prompt_over"], "prompt_up_to": by["prompt_up_to"]}
        price = self._table.price_of(by["model"], day, **bracket)
        if price is None or by["unpriced_by"]:
            return None
        key = id(price), by["inference_geo"], by["tier"]
        if key not in self._rates:
            terms = {"inference_geo": by["inference_geo"], "tier": by["tier"], **bracket}
            cost = self._table.cost(ONE_OF_EACH, by["model"], day, **terms)
            self._rates[key] = _rates(cost) if cost else None
        return self._rates[key]


def _rates(of_one: Cost) -> Rates:
    return Rates(
        tuple(part.amount for part in of_one.parts),
        tuple(part.standard_amount for part in of_one.parts),
    )


def sums(
    usage: QuerySet[BatchUsage],
    columns: Sequence[str],
    *,
    alike: Mapping[str, Any] | None = None,
    starts: Sequence[date] = (),
    classes: Collection[str] = CLASSES,
) -> Iterator[PricedUsage]:
    """Usage summed by the columns, and priced.

    `alike` has the columns that are known to be alike in all rows. Where neither knows the day,
    `since` is the number of the one of `starts` whose prices hold. None but `classes` are summed.
    Costs are exact in a decimal context of enough digits, which is the caller's to set.
    """
    pricing = Pricing()
    width = len(columns)
    wanted = {f"sum_of_{name}": total(name) if name in classes else NONE for name in CLASSES}
    summed = usage.values_list(*columns).annotate(sum_of_requests=total("requests"), **wanted)
    for row in summed:
        by = {**dict(zip(columns, row, strict=False)), **(alike or {})}
        requests, *quantities = row[width:]
        rates = pricing.rates(by, by["day"] if "day" in by else starts[by["since"]])
        if rates is None:
            yield PricedUsage(by, requests, quantities, None, ZERO, ZERO)
        else:
            cost, standard = priced(quantities, rates.batch), priced(quantities, rates.standard)
            yield PricedUsage(by, requests, quantities, rates, cost, standard)


def total(column: str) -> Cast:
    """As PostgreSQL has it, big integers sum up to decimals, which take far longer to fetch."""
    return Cast(Sum(column), BigIntegerField())


def priced(quantities: Sequence[int], each: Sequence[Decimal]) -> Decimal:
    return sum(
        (quantity * one for quantity, one in zip(quantities, each, strict=True) if quantity), ZERO
    )
