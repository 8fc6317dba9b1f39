"""What tokens cost: dated prices and exact arithmetic with them. No Django, no clock."""

from batches.pricing.load import BadPrices, load_prices
from batches.pricing.table import (
    BATCH_FACTOR,
    BATCH_TIER,
    CLASSES,
    EXACT,
    US_FACTOR,
    ZERO,
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
    "CLASSES",
    "EXACT",
    "US_FACTOR",
    "ZERO",
    "BadPrices",
    "Cost",
    "CostPart",
    "Price",
    "PriceTable",
    "Quantities",
    "load_prices",
    "model_name",
]
