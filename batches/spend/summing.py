"""Usage rows summed by the database, and what the sums cost."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import BigIntegerField, QuerySet, Sum, Value
from django.db.models.functions import Cast

from batches.models import BatchUsage
from batches.pricing import CLASSES, ZERO, Cost, PriceTable, Quantities
from batches.spend.costs import price

ONE_OF_EACH = Quantities(*(1 for _ in CLASSES))
NOT_SUMMED = Value(0, output_field=BigIntegerField())


class Rates(NamedTuple):
    """What one of each class costs in USD: in a batch, and at the standard price."""

    batch: tuple[Decimal, ...]
    standard: tuple[Decimal, ...]


class PricedUsage(NamedTuple):
    """What requests with the same values in `by` used in all, and its cost."""

    by: Mapping[str, Any]
    requests: int
    # In the order of CLASSES.
    quantities: Sequence[int]
    # None where no price is known.
    rates: Rates | None
    # USD; zero without rates, where the cost is unknown.
    cost: Decimal
    standard: Decimal


class Pricing:
    """Finds rates, and computes each price's once: a page needs thousands at a few prices."""

    def __init__(self) -> None:
        self._table: PriceTable = settings.BATCHBOARD_PRICE_TABLE
        self._rates: dict[tuple[int, str, str, str], Rates | None] = {}

    def rates(self, by: Mapping[str, Any], day: date) -> Rates | None:
        """None where the table knows no price."""
        found = self._table.price_of(
            by["model"], day, prompt_over=by["prompt_over"], prompt_up_to=by["prompt_up_to"]
        )
        if found is None:
            return None
        key = id(found), by["inference_geo"], by["tier"], by["unpriced_by"]
        if key not in self._rates:
            cost = price(ONE_OF_EACH, by, day)
            self._rates[key] = _rates(cost) if cost else None
        return self._rates[key]


def _rates(of_one: Cost) -> Rates:
    return Rates(
        tuple(part.amount for part in of_one.parts),
        tuple(part.standard_amount for part in of_one.parts),
    )


def sum_usage(
    usage: QuerySet[BatchUsage],
    columns: Sequence[str],
    *,
    shared: Mapping[str, Any] | None = None,
    starts: Sequence[date] = (),
    classes: Collection[str] = CLASSES,
) -> Iterator[PricedUsage]:
    """Usage summed by the columns, with its cost.

    `shared` has the columns with the same value in all rows. If neither has the day, the column
    `since` is the index of the day in `starts` whose prices apply. Only `classes` are summed.
    Costs are exact in the context EXACT, which the caller sets.
    """
    pricing = Pricing()
    width = len(columns)
    sums = {f"sum_of_{name}": sum_of(name) if name in classes else NOT_SUMMED for name in CLASSES}
    for row in usage.values_list(*columns).annotate(sum_of_requests=sum_of("requests"), **sums):
        by = {**dict(zip(columns, row, strict=False)), **(shared or {})}
        requests, *quantities = row[width:]
        rates = pricing.rates(by, by["day"] if "day" in by else starts[by["since"]])
        cost = standard = ZERO
        if rates:
            for quantity, batch_rate, standard_rate in zip(quantities, *rates, strict=True):
                if quantity:
                    cost += quantity * batch_rate
                    standard += quantity * standard_rate
        yield PricedUsage(by, requests, quantities, rates, cost, standard)


def sum_of(column: str) -> Cast:
    # PostgreSQL sums big integers to decimals, which take far longer to fetch.
    return Cast(Sum(column), BigIntegerField())
