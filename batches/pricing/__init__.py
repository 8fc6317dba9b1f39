"""What tokens cost: dated prices and exact arithmetic on them. Knows no Django and no clock."""

from batches.pricing.load import BadPrices, load_prices
from batches.pricing.table import (
    BATCH_FACTOR,
    BATCH_TIER,
    US_FACTOR,
    Cost,
    CostPart,
    Price,
    PriceTable,
    Quantities,
    model_name,
)

__all__ = [
    "BATCH_FACTOR",
    "BATCH_TIER",
    "US_FACTOR",
    "BadPrices",
    "Cost",
    "CostPart",
    "Price",
    "PriceTable",
    "Quantities",
    "load_prices",
    "model_name",
]
